//! The tables, one file per subject.

mod edge;
mod headers;
mod matchers;
mod redirects;
mod retries;
mod rewrites;
mod routing;
mod timeouts;
