//! The tables, one file per subject.

mod compression;
mod connection;
mod edge;
mod faults;
mod headers;
mod http1;
mod interim;
mod limits;
mod log_filters;
mod matchers;
mod operators;
mod paths;
mod ports;
mod rbac;
mod redirects;
mod retries;
mod rewrites;
mod routing;
mod scopes;
mod streams;
mod tcp;
mod timeouts;
mod tls;
