//! The runtime APIs: Layotto's gRPC service terminated by a filter, and the calls into the
//! application.
//!
//! A [`Process`] holds what the whole process has once (components, subscriptions of the
//! application); [`Process::layer`] makes the filter of one worker, with that worker's clients.
//! Adding an API is one file per noun here, a trait in `api/contract` if it needs a back-end,
//! and an arm in `runtime`. Rpcs that are not served say so (`unserved`).

mod hello;
mod invoke;
mod layer;
mod lock;
mod process;
mod pubsub;
mod reflection;
mod runtime;
mod sequencer;
mod state;
mod status;
mod unserved;

pub use process::{Error, Process};
