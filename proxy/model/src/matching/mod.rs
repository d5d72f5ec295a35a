//! Pure matching: strings, headers, query parameters, domains and routes.

pub mod path;
mod regex;
mod request;
mod string;
mod table;

pub use regex::{InvalidRegex, Regex};
pub use request::RequestView;
pub use string::{StringMatch, StringMatcher};
pub use table::{Found, RouteTable, strip_port};

#[cfg(test)]
mod tests;
