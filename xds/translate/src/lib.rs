//! Envoy's configuration to the model.
//!
//! Reads a bootstrap as Envoy 1.40 reads it (YAML or JSON), refuses what Tandem does not support
//! and what Envoy refuses, all in one go and with paths and lines, and turns the rest into
//! `tandem_model`. It does no I/O, and it starts nothing.

mod access_log;
mod address;
mod bootstrap;
pub mod cascade;
mod cluster;
mod config_source;
mod cx;
mod endpoint;
mod error;
mod filter;
mod hcm;
mod headers;
mod json;
mod listener;
mod matcher;
mod plain;
mod protocol;
mod rbac;
mod read;
pub mod resource;
mod route;
mod runtime;
mod schema;
mod scope;
mod source;
mod support;
mod tcp_proxy;
mod tls;
mod transcode;
mod validate;
mod value;
mod view;
mod wire;

pub use bootstrap::load;
pub use error::{Error, Errors};
pub use json::trim;
pub use read::{read_bootstrap, read_response, to_json};
pub use source::Source;
pub use support::markdown as supported_as_markdown;
