//! The runtime APIs: what an application calls, and what calls the application.
//!
//! Serves Layotto's `spec.proto.runtime.v1.Runtime` over gRPC, with gRPC's health and reflection
//! services beside it, as a filter ([`Process::layer`]) that sits on any listener: requests for other
//! paths pass on. Calls of other applications (`InvokeService`) enter the worker's outbound stack
//! directly. Knows no back-end, opens no listener, and writes no HTTP status of its own.
//!
//! One noun, one file. Process-wide is what a [`Process`] holds: the application's subscriptions and
//! callbacks, the components' readiness. Per worker are the components'
//! clients and the directory of HTTP services.
//!
//! A message may have 4 MiB, which is gRPC's own default; so may the answer that
//! `InvokeService` returns.

mod grpc;
mod health;
mod hello;
mod invoke;
mod layer;
mod lock;
mod process;
mod pubsub;
mod reflection;
mod sequencer;
mod state;
mod status;
#[cfg(test)]
mod testing;
mod unserved;

pub use process::{Error, Process};
