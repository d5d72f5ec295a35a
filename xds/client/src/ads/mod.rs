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

pub(crate) mod consumer;
mod driver;
pub(crate) mod entry;
mod link;
pub(crate) mod machine;
mod outbox;
mod stats;
#[cfg(test)]
mod tests;

use std::iter::once;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tonic::client::GrpcService;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataMap;

use crate::{Backoff, Delta, Sotw, Variant};
use consumer::{Command, Type, register};
pub use consumer::{Consumer, Event, Offer};
use driver::Driver;
pub use stats::{Connection, Stats};

/// The types of one aggregated stream, before it runs.
#[derive(Debug)]
pub struct Ads {
    variant: Variant,
    node: Node,
    always: bool,
    method: PathAndQuery,
    metadata: MetadataMap,
    backoff: Backoff,
    types: Vec<Type>,
    commands: UnboundedSender<Command>,
    inbox: UnboundedReceiver<Command>,
    connection: watch::Sender<Connection>,
}

/// The type has a consumer already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type `{0}`: has a consumer already, expected one")]
pub struct Taken(String);

/// No service can be spoken that is one type's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoService {
    /// There is none in this variant.
    #[error("type `{0}`: has no service of its own in this variant, expected an aggregated one")]
    Type(String),
    /// It would not be clear whose.
    #[error("{0} types, expected one")]
    Types(usize),
}

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
            always: false,
            method: variant.aggregated(),
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
        let (one, consumer) = register(index, url, wildcard, fetch_timeout, &self.commands);
        self.types.push(one);
        Ok(consumer)
    }

    /// Every request says the node, and not only the first of a stream, for control planes that
    /// keep nothing (Envoy's way without `set_node_on_first_message_only`).
    pub fn node_always(mut self) -> Self {
        self.always = true;
        self
    }

    /// Speaks the service of the one type that was added, for a type whose configuration source is
    /// its own. Responses need not name their type then.
    pub fn own_service(mut self) -> Result<Self, NoService> {
        self.method = match &*self.types {
            [one] => match self.variant.own(&one.url) {
                Some(method) => method,
                None => return Err(NoService::Type(one.url.clone())),
            },
            types => return Err(NoService::Types(types.len())),
        };
        Ok(self)
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
        self.run_with_backups(service, []).await;
    }

    /// As [`Ads::run`], over one of several control planes. Each stream goes to `first`; where it
    /// ends, or cannot be opened, before a response came, the backups are tried, in their order
    /// and without a wait. The versions of one are not claimed before another.
    pub async fn run_with_backups<T>(self, first: T, backups: impl IntoIterator<Item = T>)
    where
        T: GrpcService<tonic::body::Body> + Clone + Send + 'static,
        T::Future: Send,
        T::ResponseBody: HttpBody + Send + 'static,
        <T::ResponseBody as HttpBody>::Error: Into<StdError>,
    {
        let services: Vec<T> = once(first).chain(backups).collect();
        match self.variant {
            Variant::StateOfTheWorld => Driver::<Sotw>::new(self).run(services).await,
            Variant::Delta => Driver::<Delta>::new(self).run(services).await,
        }
    }
}
