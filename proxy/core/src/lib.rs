//! The vocabulary of everything that runs: bodies, the erased service, facts about a request,
//! errors and their rescue, metrics, draining.
//!
//! This crate names no filter, no xDS type and no socket. What flows through the proxy is an
//! [`HttpService`]: every filter is a `tower::Layer` around one, and so are the router, the
//! clusters and the runtime APIs.

pub mod authority;
pub mod body;
pub mod directory;
pub mod discovered;
pub mod drain;
pub mod error;
pub mod ext;
pub mod file;
pub mod filter;
pub mod flags;
pub mod format;
pub mod grpc;
pub mod headers;
pub mod id;
pub mod live;
pub mod rescue;
pub mod routes;
pub mod scopes;
pub mod service;
pub mod stats;

pub use body::{Body, BodyError};
pub use error::Error;
pub use flags::ResponseFlags;
pub use service::{BoxFuture, HttpService, Request, Response};
