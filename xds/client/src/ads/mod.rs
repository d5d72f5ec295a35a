//! Many types on one stream: the aggregated discovery service.
//!
//! One task owns the stream and every type's state machine; consumers speak to it by messages.
//!
//! ```text
//! Consumer ──subscribe──▶ ┌────────┐ ──requests──▶ control plane
//!          ◀───Event───── │ driver │ ◀─responses──
//! Offer ────answer──────▶ └────────┘
//! ```
//!
//! A type has at most one offer out; its further responses wait, so that a version is never
//! skipped over and a NACK names what is in use. Other types go on meanwhile.

mod consumer;
mod driver;
mod entry;
mod link;
mod machine;
mod stats;
#[cfg(test)]
mod tests;

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataMap;

use crate::{Backoff, Delta, Sotw, Variant};
use consumer::Command;
pub use consumer::{Consumer, Event, Offer};
use driver::Driver;
pub use stats::{Connection, Stats};

/// The types of one aggregated stream, before it runs.
#[derive(Debug)]
pub struct Ads {
    variant: Variant,
    node: Node,
    metadata: MetadataMap,
    backoff: Backoff,
    types: Vec<Type>,
    commands: UnboundedSender<Command>,
    inbox: UnboundedReceiver<Command>,
    connection: watch::Sender<Connection>,
}

/// The driver's end of one consumer.
#[derive(Debug)]
struct Type {
    index: usize,
    url: String,
    wildcard: bool,
    fetch_timeout: Option<Duration>,
    events: UnboundedSender<Event>,
    stats: watch::Sender<Stats>,
}

/// The type has a consumer already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken(String);

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "type `{}`: has a consumer already, expected one", self.0)
    }
}

impl std::error::Error for Taken {}

impl Ads {
    /// A stream that introduces itself as `node`, with `metadata` as the gRPC call's.
    pub fn new(
        variant: Variant,
        node: impl Into<Node>,
        metadata: MetadataMap,
        backoff: Backoff,
    ) -> Self {
        let (commands, inbox) = unbounded_channel();
        Self {
            variant,
            node: node.into(),
            metadata,
            backoff,
            types: Vec::new(),
            commands,
            inbox,
            connection: watch::Sender::default(),
        }
    }

    /// Adds a type that asks for everything (`wildcard`) or, so far, for nothing. It is told
    /// [`Event::FetchTimeout`] when `fetch_timeout` (Envoy's `initial_fetch_timeout`) has passed
    /// since it was first asked for without a readable response; `None` waits for ever.
    pub fn consumer(
        &mut self,
        type_url: impl Into<String>,
        wildcard: bool,
        fetch_timeout: Option<Duration>,
    ) -> Result<Consumer, Taken> {
        let url = type_url.into();
        if self.types.iter().any(|one| one.url == url) {
            return Err(Taken(url));
        }
        let index = self.types.len();
        let (sender, events) = unbounded_channel();
        let (stats_sender, stats) = watch::channel(Stats::default());
        self.types.push(Type {
            index,
            url,
            wildcard,
            fetch_timeout,
            events: sender,
            stats: stats_sender,
        });
        Ok(Consumer {
            index,
            commands: self.commands.clone(),
            events,
            stats,
        })
    }

    /// The state of the stream, as it changes.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.subscribe()
    }

    /// Runs until every consumer and offer is dropped. Dropping the future ends the stream.
    pub async fn run<T>(self, service: T)
    where
        T: GrpcService<tonic::body::Body> + Clone + Send + 'static,
        T::Future: Send,
        T::ResponseBody: HttpBody + Send + 'static,
        <T::ResponseBody as HttpBody>::Error: Into<StdError>,
    {
        match self.variant {
            Variant::StateOfTheWorld => Driver::<Sotw>::new(self).run(service).await,
            Variant::Delta => Driver::<Delta>::new(self).run(service).await,
        }
    }
}
