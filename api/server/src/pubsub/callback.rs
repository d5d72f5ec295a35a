//! `AppCallback`: asking the application for its subscriptions, and handing it their events.
//!
//! The subscriptions live as long as the connection to the application. While the application is
//! away there are none, so that no event is tried in vain; when it is up, at first or again, it
//! is asked again. (Layotto asks once, at its own start, and never again.)

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tandem_api_contract::Metadata;
use tandem_api_contract::backoff::Backoff;
use tandem_api_contract::pubsub::{Handler, Message, Subscribe, Subscription, Verdict};
use tandem_api_contract::registry::Clients;
use tonic::Code;

use super::app::{self, Client};
use super::event;
use crate::process::Shared;

/// How long the application may take to list its subscriptions.
const LIST: Duration = Duration::from_secs(5);
/// How long the application may take over one event; after that it is delivered again.
const DELIVER: Duration = Duration::from_secs(60);

/// After how many tries, about ten seconds, it is said aloud that they are in vain.
const TOLD: u32 = 10;

/// The task that keeps an application's subscriptions.
pub(crate) struct Callbacks {
    server: Arc<Shared>,
    host: String,
    port: u16,
}

impl Callbacks {
    /// `None` if the application takes no callbacks.
    pub(crate) fn new(server: &Arc<Shared>) -> Option<Self> {
        let (host, port) = app::address(&server.runtime().app)?;
        Some(Self {
            server: Arc::clone(server),
            host,
            port,
        })
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let clients = self.server.registry().clients();
        if clients.pubsub.is_empty() {
            return;
        }
        let mut backoff = Backoff::default();
        let mut failures = 0_u32;
        loop {
            match self.session(&clients, &mut backoff).await {
                Ok(()) => {
                    failures = 0;
                    tracing::info!(
                        host = self.host,
                        port = self.port,
                        "the application closed its callback connection"
                    );
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let (host, port) = (&self.host, self.port);
                    // An application that starts is not up at once; one that never is has a
                    // port or a protocol that somebody should look at.
                    match failures {
                        TOLD => tracing::warn!(
                            host,
                            port,
                            error,
                            "the application gets no events: its callbacks cannot be asked for; still trying"
                        ),
                        _ => tracing::debug!(
                            host,
                            port,
                            error,
                            "the application's callbacks are not up yet"
                        ),
                    }
                }
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// From connecting to the end of the connection.
    async fn session(&self, clients: &Clients, backoff: &mut Backoff) -> Result<(), String> {
        let (client, running) = app::connect(&self.host, self.port)
            .await
            .map_err(|error| error.to_string())?;
        let running = AbortOnDrop(running);
        let topics = list(client.clone()).await?;
        backoff.reset();
        let _subscriptions = self.subscribe(clients, &client, topics).await;
        running.ended().await;
        Ok(())
    }

    async fn subscribe(
        &self,
        clients: &Clients,
        client: &Client,
        topics: BTreeMap<(String, String), Metadata>,
    ) -> Vec<Subscription> {
        let mut subscriptions = Vec::with_capacity(topics.len());
        for ((pubsub, topic), metadata) in topics {
            let Some(broker) = clients.pubsub.get(&pubsub) else {
                tracing::warn!(
                    pubsub,
                    topic,
                    "the application subscribes to an unknown component"
                );
                continue;
            };
            let handler = Deliver {
                pubsub: pubsub.clone(),
                client: client.clone(),
            };
            let subscribe = Subscribe {
                topic: topic.clone(),
                metadata,
            };
            match broker.subscribe(subscribe, Arc::new(handler)).await {
                Ok(subscription) => {
                    tracing::info!(pubsub, topic, "the application is subscribed");
                    subscriptions.push(subscription);
                }
                Err(error) => tracing::warn!(pubsub, topic, %error, "subscribing failed"),
            }
        }
        subscriptions
    }
}

/// Asks the application; one that does not serve the call wants nothing.
async fn list(mut client: Client) -> Result<BTreeMap<(String, String), Metadata>, String> {
    let answer = tokio::time::timeout(LIST, client.list_topic_subscriptions(()))
        .await
        .map_err(|_| "ListTopicSubscriptions timed out".to_owned())?;
    match answer {
        Ok(answer) => Ok(answer
            .into_inner()
            .subscriptions
            .into_iter()
            .map(|wanted| ((wanted.pubsub_name, wanted.topic), wanted.metadata))
            .collect()),
        Err(status) if status.code() == Code::Unimplemented => Ok(BTreeMap::new()),
        Err(status) => Err(format!("ListTopicSubscriptions failed: {status}")),
    }
}

/// Hands events to `OnTopicEvent`.
struct Deliver {
    pubsub: String,
    client: Client,
}

#[async_trait::async_trait]
impl Handler for Deliver {
    async fn handle(&self, message: Message) -> Verdict {
        let Some(event) = event::read(&self.pubsub, message) else {
            return Verdict::Ack;
        };
        let (id, topic) = (event.id.clone(), event.topic.clone());
        let mut client = self.client.clone();
        match tokio::time::timeout(DELIVER, client.on_topic_event(event)).await {
            Ok(Ok(answer)) => event::verdict(answer.into_inner().status),
            Ok(Err(status)) if status.code() == Code::Unimplemented => {
                tracing::warn!(
                    id,
                    topic,
                    "dropping an event: OnTopicEvent is not implemented"
                );
                Verdict::Ack
            }
            Ok(Err(status)) => {
                tracing::debug!(id, topic, %status, "the application failed on an event");
                Verdict::Retry
            }
            Err(_) => {
                tracing::warn!(id, topic, "the application took too long over an event");
                Verdict::Retry
            }
        }
    }
}

/// A connection's task, ended when it is no longer wanted.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl AbortOnDrop {
    async fn ended(mut self) {
        let _ = (&mut self.0).await;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
