//! What an application is subscribed to by callback.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_api_contract::Metadata;
use tandem_api_contract::backoff::Backoff;
use tandem_api_contract::pubsub::{Subscribe, Subscription};
use tandem_api_contract::registry::Clients;
use tokio::task::JoinSet;

use super::Deliver;
use crate::pubsub::app::Client;

/// The topics that an application wants, by component and name.
pub(super) type Topics = BTreeMap<(String, String), Metadata>;

/// The subscriptions of one application.
pub(super) struct Subscriptions<'a> {
    clients: &'a Clients,
    held: BTreeMap<(String, String), (Metadata, Subscription)>,
    /// Those that could not start.
    missing: Topics,
    /// Those that ended, as long as they have events in hand.
    ended: JoinSet<()>,
}

impl<'a> Subscriptions<'a> {
    pub(super) fn new(clients: &'a Clients) -> Self {
        Self {
            clients,
            held: BTreeMap::new(),
            missing: BTreeMap::new(),
            ended: JoinSet::new(),
        }
    }

    /// Subscribes to what is wanted now, and ends what is not wanted any more.
    pub(super) async fn want(&mut self, mut topics: Topics, client: &Client) {
        for (topic, (metadata, subscription)) in std::mem::take(&mut self.held) {
            if topics.get(&topic) == Some(&metadata) {
                topics.remove(&topic);
                self.held.insert(topic, (metadata, subscription));
            } else {
                self.ended.spawn(subscription.finish());
            }
        }
        topics.retain(|(pubsub, topic), _| {
            let known = self.clients.pubsub.get(pubsub).is_some();
            if !known {
                tracing::warn!(
                    pubsub,
                    topic,
                    "the application subscribes to an unknown component"
                );
            }
            known
        });
        self.missing = topics;
        self.start(client).await;
    }

    /// Starts what could not start, as often as it takes. Never resolves.
    pub(super) async fn try_again(&mut self, client: &Client) {
        let mut backoff = Backoff::default();
        while !self.missing.is_empty() {
            tokio::time::sleep(backoff.next_delay()).await;
            self.start(client).await;
        }
        std::future::pending().await
    }

    async fn start(&mut self, client: &Client) {
        for ((pubsub, topic), metadata) in self.missing.clone() {
            let Some(broker) = self.clients.pubsub.get(&pubsub) else {
                continue;
            };
            let handler = Deliver {
                pubsub: pubsub.clone(),
                client: client.clone(),
            };
            let subscribe = Subscribe {
                topic: topic.clone(),
                metadata: metadata.clone(),
            };
            match broker.subscribe(subscribe, Arc::new(handler)).await {
                Ok(subscription) => {
                    tracing::info!(pubsub, topic, "the application is subscribed");
                    let key = (pubsub, topic);
                    self.missing.remove(&key);
                    self.held.insert(key, (metadata, subscription));
                }
                Err(error) => {
                    tracing::warn!(pubsub, topic, %error, "subscribing failed: trying again");
                }
            }
        }
    }

    /// Ends all. What is in hand goes on.
    pub(super) fn end(&mut self) {
        while self.ended.try_join_next().is_some() {}
        for (_, subscription) in std::mem::take(&mut self.held).into_values() {
            self.ended.spawn(subscription.finish());
        }
        self.missing.clear();
    }

    /// Ends all, and waits for what is in hand.
    pub(super) async fn finish(mut self) {
        self.end();
        while self.ended.join_next().await.is_some() {}
    }
}
