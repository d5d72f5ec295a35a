//! The xDS protocol, free of what resources mean.
//!
//! The crate holds the state machines of the protocol as plain values, without I/O: what a
//! subscription has to say ([`Sotw::poll_request`], [`Delta::poll_request`]), what a response
//! says ([`Update`]), and how it is answered (`accept` is the ACK, `reject` the NACK). [`Stream`]
//! carries the messages over gRPC. Whoever owns both puts the node into the first request, calls
//! `start` for each new stream and waits by [`Backoff`] between two.
//!
//! - Versions outlive a stream, nonces do not; a lost stream takes nothing away.
//! - A version counts as held only when the consumer accepted it.
//! - A response that cannot be read is still owed an answer: reject it with the error's text.
//!
//! It does **not** choose or reconnect to control planes, speak REST or watch files, run timers (`ttl`, initial fetch) or decode resources beyond
//! their name.

mod backoff;
mod delta;
mod grpc;
mod lifetimes;
mod method;
mod names;
mod sotw;
mod status;
#[cfg(test)]
mod tests;
mod update;

pub use backoff::Backoff;
pub use delta::Delta;
pub use grpc::Stream;
pub use lifetimes::Lifetimes;
pub use method::Variant;
pub use sotw::Sotw;
pub use update::{Malformed, Resource, Update};

/// The messages on the wire.
pub use envoy_types::pb::envoy::service::discovery::v3 as wire;
