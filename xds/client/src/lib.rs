//! The xDS protocol, free of what resources mean.
//!
//! [`Ads`] drives many types on one aggregated stream: give it a node and, for each type, take a
//! [`Consumer`], which changes what is asked for and answers each [`Offer`]; then run it over any
//! gRPC transport, or over several of which the first is preferred. It opens the stream once
//! something is asked for and opens it again, by [`Backoff`], when it is lost. A type whose
//! configuration source is its own has an `Ads` of its own ([`Ads::own_service`]).
//!
//! Below it are the state machines of the protocol as plain values, without I/O: what a
//! subscription has to say ([`Sotw::poll_request`], [`Delta::poll_request`]), what a response
//! says ([`Update`]), and how it is answered (`accept` is the ACK, `reject` the NACK). [`Stream`]
//! carries the messages of one of them over gRPC.
//!
//! - Versions outlive a stream, nonces do not; a lost stream takes nothing away.
//! - A version counts as held only when the consumer accepted it.
//! - A response that cannot be read is still answered: it is rejected with the error's text.
//!
//! [`connect::Channel`] is a transport that needs nothing else of the process; any other `tower`
//! service of HTTP/2 does as well.
//!
//! Configuration that is not pushed has consumers of the same kind: [`poll::Rest`] asks again and
//! again, [`poll::Files`] watches a file.
//!
//! It does **not** limit the rate of requests, decode resources beyond their name, or read JSON:
//! what a fetched response's bytes mean is for the caller to say.

mod ads;
mod backoff;
pub mod connect;
mod delta;
mod grpc;
mod lifetimes;
mod method;
mod names;
pub mod node;
pub mod poll;
mod request;
mod sotw;
mod status;
#[cfg(test)]
mod tests;
mod update;

pub use ads::{Ads, Connection, Consumer, Event, NoService, Offer, Stats, Taken};
pub use backoff::Backoff;
pub use delta::Delta;
pub use grpc::Stream;
pub use lifetimes::Lifetimes;
pub use method::Variant;
pub use node::Node;
pub use request::SotwRequest;
pub use sotw::Sotw;
pub use update::{Malformed, Resource, Update};

/// The messages on the wire.
pub use envoy_types::pb::envoy::service::discovery::v3 as wire;
