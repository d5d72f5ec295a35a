//! Envoy's configuration to the model.
//!
//! Reads a bootstrap as Envoy 1.40 reads it (YAML or JSON), refuses what Tandem does not support
//! and what Envoy refuses, all in one go and with paths and lines, and turns the rest into
//! `tandem_model`. It does no I/O, and it starts nothing.

mod bootstrap_file;
mod error;
mod schema;
mod source;
mod support;
mod transcode;
mod validate;
mod view;
mod wire;

pub use bootstrap_file::read_bootstrap;
pub use error::{Error, Errors};
pub use source::Source;
pub use support::markdown as supported_as_markdown;
