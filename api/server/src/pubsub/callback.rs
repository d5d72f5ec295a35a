//! `AppCallback`: asking the application for its subscriptions, and handing it their events.
//!
//! The subscriptions live as long as the application can be connected to. While it is away there
//! are none, so that no event is tried in vain; with each connection it is asked again. (Layotto
//! asks once, at its own start, and never again.) A connection that the application leaves is
//! followed by another: what runs on the old one ends there.

mod subscriptions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tandem_api_contract::backoff::Backoff;
use tandem_api_contract::pubsub::{Handler, Message, Verdict};
use tonic::Code;

use self::subscriptions::{Subscriptions, Topics};
use super::app::{self, Client, Connection, Line};
use super::event;
use crate::process::Shared;

/// How long the application may take to list its subscriptions.
const LIST: Duration = Duration::from_secs(5);

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

    /// Runs until the process is about to end and the events in hand are dealt with.
    pub(crate) async fn run(self) {
        let clients = self.server.registry().clients();
        if clients.pubsub.is_empty() {
            return;
        }
        let mut subscriptions = Subscriptions::new(&clients);
        let mut closing = self.server.closing();
        tokio::select! {
            () = self.sessions(&mut subscriptions) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        subscriptions.finish().await;
    }

    async fn sessions(&self, subscriptions: &mut Subscriptions<'_>) {
        let mut backoff = Backoff::default();
        let mut failures = 0_u32;
        loop {
            let ended = self.session(subscriptions, &mut backoff).await;
            subscriptions.end();
            match ended {
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
                    self.tell(failures, &error);
                }
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// An application that starts is not up at once; one that never is has a port or a protocol
    /// that somebody should look at.
    fn tell(&self, failures: u32, error: &str) {
        let (host, port) = (&self.host, self.port);
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

    /// As long as the application can be connected to.
    async fn session(
        &self,
        subscriptions: &mut Subscriptions<'_>,
        backoff: &mut Backoff,
    ) -> Result<(), String> {
        let (mut connection, topics) = self.connect().await?;
        let line = Line::new(&connection);
        let client = line.client(&connection);
        subscriptions.want(topics, &client).await;
        loop {
            backoff.reset();
            tokio::select! {
                () = connection.ended() => {}
                () = subscriptions.try_again(&client) => {}
            }
            tokio::time::sleep(backoff.next_delay()).await;
            let Ok((next, topics)) = self.connect().await else {
                return Ok(());
            };
            line.replace(&next);
            connection = next;
            subscriptions.want(topics, &client).await;
        }
    }

    async fn connect(&self) -> Result<(Connection, Topics), String> {
        let connection = app::connect(&self.host, self.port)
            .await
            .map_err(|error| error.to_string())?;
        let topics = list(connection.client()).await?;
        Ok((connection, topics))
    }
}

/// Asks the application; one that does not serve the call wants nothing.
async fn list(mut client: Client) -> Result<Topics, String> {
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
        match client.on_topic_event(event).await {
            Ok(answer) => event::verdict(answer.into_inner().status),
            Err(status) if app::has_gone(&status) => Verdict::Unanswered,
            Err(status) if status.code() == Code::Unimplemented => {
                tracing::warn!(
                    id,
                    topic,
                    "dropping an event: OnTopicEvent is not implemented"
                );
                Verdict::Ack
            }
            Err(status) => {
                tracing::warn!(id, topic, %status, "the application failed on an event: it comes again");
                Verdict::Retry
            }
        }
    }
}

#[cfg(test)]
mod tests;
