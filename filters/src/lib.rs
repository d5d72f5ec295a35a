//! The HTTP filters that configuration can select: one folder each, one registry of all.
//!
//! A filter is a `tower::Layer`; it sees requests on their way in and responses on their way
//! out. Its settings are plain data in the model; nothing here reads protobuf.

pub mod compressor;
mod explain;
pub mod fault;
pub mod rbac;
mod registry;
mod view;

pub use explain::{explain, explain_connection};
pub use registry::{Registry, RuntimeFactory};
