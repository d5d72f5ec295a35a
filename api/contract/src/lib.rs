//! The building blocks of the runtime as traits, their errors, and the registry that finds a
//! component by its name. Does not speak any back-end's protocol, and serves no API.
//!
//! One noun, one file: [`state`], [`lock`], [`sequencer`], [`pubsub`], [`hello`], [`secret`]. Each
//! has a trait that back-ends implement. The first four also have a *store* (or *broker*): the
//! handle that an API server holds, which applies the key prefix before it calls the back-end.
//!
//! The way of a component: a [`declaration::Declaration`] is read from a file, a factory (in the
//! components' crate) reads its fields through [`options::Options`] and makes a
//! [`component::Building`], the [`registry::Registry`] holds it. The control thread calls
//! [`registry::Registry::run`] once; each worker thread calls [`registry::Registry::clients`] once
//! and finds its stores there without any lock.

pub mod backoff;
pub mod component;
pub mod declaration;
pub mod error;
pub mod file;
pub mod hello;
pub mod key;
pub mod lock;
pub mod options;
pub mod pubsub;
pub mod registry;
pub mod secret;
pub mod sequencer;
pub mod state;

pub use error::{Error, Kind};

/// What a caller adds to a request, by name: `ttlInSeconds` and what else a back-end knows.
pub type Metadata = std::collections::HashMap<String, String>;
