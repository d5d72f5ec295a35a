//! Pure matching: strings, headers, query parameters, domains and routes; filter chains.

mod filter_chain;
pub mod path;
mod regex;
mod request;
mod string;
mod table;

pub use filter_chain::{ConnectionFacts, FilterChains, Overlap};
pub use regex::{InvalidRegex, Regex};
pub use request::RequestView;
pub use string::{StringMatch, StringMatcher};
pub use table::{Found, RouteTable, strip_port};

#[cfg(test)]
mod tests;
