//! The administration server: Envoy's endpoints, on the control thread.

mod certs;
mod clusters;
mod config_dump;
mod endpoints;
mod http;
mod logging;
mod memory;
mod parameters;
mod query;
mod server;
mod stats;

pub(crate) use endpoints::{Admin, State};
pub(crate) use http::serve;
pub(crate) use server::{Begun, Server};
