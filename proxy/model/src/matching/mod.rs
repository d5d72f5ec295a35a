//! Pure matching: strings, headers, query parameters, domains and routes.

mod regex;
mod string;

pub use regex::{InvalidRegex, Regex};
pub use string::{StringMatch, StringMatcher};
