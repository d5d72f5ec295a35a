//! Connections to a control plane that the process reaches by itself, without its own clusters.
//!
//! [`Channel`] is a `tower` service: it connects when the first request comes, connects again
//! when the connection is gone, and tries one endpoint after the other. It makes no request twice:
//! a request that failed is the caller's, which has a back-off.

mod channel;
mod dial;
mod error;
mod server;
#[cfg(test)]
mod tests;

pub use channel::Channel;
pub use error::Error;
pub use server::{Address, KeepAlive, Protocol, Server, Tls};
