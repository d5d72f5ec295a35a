//! The administration server: Envoy's endpoints, on the control thread.

mod certs;
mod config_dump;
mod endpoints;
mod http;
mod query;

pub(crate) use endpoints::{Admin, State};
pub(crate) use http::serve;
