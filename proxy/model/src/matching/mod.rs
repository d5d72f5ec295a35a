//! Pure matching: strings, headers, query parameters, domains and routes; filter chains.

mod address;
mod filter_chain;
pub mod path;
mod regex;
mod request;
mod string;
mod table;
mod unmet;

pub use address::listening_on;
pub use filter_chain::{Asked, ConnectionFacts, FilterChains, Overlap};
pub use regex::{InvalidRegex, Regex};
pub use request::RequestView;
pub use string::{StringMatch, StringMatcher};
pub use table::{Found, RouteTable, strip_port};
pub use unmet::Unmet;

#[cfg(test)]
mod tests;
