//! Redis back-ends, on one server. Data is stored as daprd and Layotto store it, so that either
//! can read what the other wrote.
//!
//! Each worker has a connection of its own on which its calls are pipelined. The shared part only
//! watches the server, on the control thread.

mod config;
mod link;
mod lock;
mod pubsub;
mod sequencer;
mod server;
mod state;
mod stream;

use std::sync::Arc;

use async_trait::async_trait;
use tandem_api_contract::{
    component::{Building, Component, Readiness},
    declaration::{Context, Resolved},
    lock::LockStore,
    options::Options,
    pubsub::PubSub,
    sequencer::Sequencer,
    state::StateStore,
};

use self::{link::Link, server::Server};

/// The Redis component of a building block, if it has one.
pub(crate) fn build(
    block: &str,
    options: &mut Options<'_>,
    context: &Context,
    resolved: &Resolved,
) -> Option<Building> {
    if !matches!(block, "state" | "lock" | "sequencer" | "pubsub") {
        return None;
    }
    let settings = config::read(options);
    if block != "pubsub" {
        // Dapr takes them in every component of Redis; only streams do something with them.
        options.without_effect(&["processingTimeout", "redeliverInterval"]);
    }
    let server = Arc::new(Server::new(resolved, settings));
    Some(match block {
        "state" => {
            // For queries, which no API that is served has.
            options.without_effect(&["queryIndexes"]);
            let ttl = options.number("ttlInSeconds", i64::MIN..=i64::from(i32::MAX));
            let client = Box::new(move |link| -> Arc<dyn StateStore> {
                Arc::new(state::State::new(link, ttl))
            });
            Building::State(Arc::new(PerWorker { server, client }))
        }
        "lock" => {
            let client =
                Box::new(|link| -> Arc<dyn LockStore> { Arc::new(lock::Locks::new(link)) });
            Building::Lock(Arc::new(PerWorker { server, client }))
        }
        "sequencer" => {
            let client = Box::new(|link| -> Arc<dyn Sequencer> {
                Arc::new(sequencer::Sequences::new(link))
            });
            Building::Sequencer(Arc::new(PerWorker { server, client }))
        }
        _ => {
            let settings = Arc::new(pubsub::Settings::read(options, context));
            let client = Box::new(move |link| -> Arc<dyn PubSub> {
                Arc::new(pubsub::Streams::new(link, settings.clone()))
            });
            Building::PubSub(Arc::new(PerWorker { server, client }))
        }
    })
}

/// A component that gives each worker a client over a connection of its own.
struct PerWorker<C: ?Sized> {
    server: Arc<Server>,
    client: Box<dyn Fn(Arc<Link>) -> Arc<C> + Send + Sync>,
}

#[async_trait]
impl<C: ?Sized + Send + Sync + 'static> Component<C> for PerWorker<C> {
    fn client(&self) -> Arc<C> {
        (self.client)(Arc::new(Link::new(self.server.clone())))
    }

    async fn run(&self, readiness: Readiness) {
        self.server.watch(&readiness).await;
    }
}
