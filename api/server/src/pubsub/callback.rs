//! Calls into the application: what it subscribes to, and its events.
//!
//! The application may start later than its sidecar, and may be restarted: it is asked until
//! it answers, and asked again whenever it could not be reached for an event.

use std::sync::Arc;
use std::time::Duration;

use tandem_api_contract::pubsub::{Handler, Message, PubSub, Subscribe, Subscription, Verdict};
use tandem_api_contract::registry::Clients;
use tandem_api_proto::layotto::app_callback_client::AppCallbackClient;
use tandem_api_proto::layotto::topic_event_response::TopicEventResponseStatus;
use tandem_api_proto::layotto::{TopicEventResponse, TopicSubscription};
use tandem_model::filter::runtime::{App, AppProtocol};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::envelope;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Where the application takes callbacks, if it does.
pub(crate) fn address(app: &App) -> Option<Endpoint> {
    let grpc = (app.protocol == AppProtocol::Grpc)
        .then_some(app.port)
        .flatten();
    let port = app.callback_port.or(grpc)?;
    let host = &app.callback_host;
    Endpoint::from_shared(format!("http://{host}:{port}"))
        .inspect_err(|error| tracing::error!(%error, %host, port, "invalid callback address"))
        .ok()
}

/// Asks for subscriptions until the application answers, then delivers for ever.
pub(crate) async fn serve(address: Endpoint, app_id: String, clients: Clients) {
    let client = AppCallbackClient::new(address.connect_lazy());
    let mut wait = FIRST_RETRY;
    let subscriptions = loop {
        match client.clone().list_topic_subscriptions(()).await {
            Ok(answer) => break answer.into_inner().subscriptions,
            Err(status) if status.code() == Code::Unimplemented => break Vec::new(),
            Err(status) => {
                tracing::debug!(%status, ?wait, "the application does not answer yet");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_RETRY);
            }
        }
    };
    let mut running = Vec::with_capacity(subscriptions.len());
    for wanted in subscriptions {
        let Some(pubsub) = clients.pubsub.get(&wanted.pubsub_name) else {
            tracing::error!(
                pubsub = wanted.pubsub_name,
                topic = wanted.topic,
                "the application subscribes to a pubsub that is not configured"
            );
            continue;
        };
        running.push(subscribe(pubsub, wanted, &app_id, &client).await);
    }
    std::future::pending::<()>().await;
    drop(running);
}

/// Subscribes, however long the back-end is away.
async fn subscribe(
    pubsub: &Arc<dyn PubSub>,
    wanted: TopicSubscription,
    app_id: &str,
    client: &AppCallbackClient<Channel>,
) -> Subscription {
    let TopicSubscription {
        pubsub_name,
        topic,
        mut metadata,
    } = wanted;
    metadata
        .entry("consumerID".to_owned())
        .or_insert_with(|| app_id.to_owned());
    let deliver: Arc<dyn Handler> = Arc::new(Deliver {
        client: client.clone(),
        pubsub_name: pubsub_name.clone(),
    });
    let mut wait = FIRST_RETRY;
    loop {
        let subscribe = Subscribe {
            topic: topic.clone(),
            metadata: metadata.clone(),
        };
        match pubsub.subscribe(subscribe, Arc::clone(&deliver)).await {
            Ok(subscription) => {
                tracing::info!(pubsub = pubsub_name, topic, "the application is subscribed");
                return subscription;
            }
            Err(error) => {
                tracing::warn!(pubsub = pubsub_name, topic, %error, "cannot subscribe yet");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_RETRY);
            }
        }
    }
}

/// Hands events to the application.
struct Deliver {
    client: AppCallbackClient<Channel>,
    pubsub_name: String,
}

#[tonic::async_trait]
impl Handler for Deliver {
    async fn handle(&self, message: Message) -> Verdict {
        let Some(event) = envelope::unwrap(&self.pubsub_name, &message.topic, &message.data) else {
            tracing::debug!(topic = message.topic, "dropped an expired event");
            return Verdict::Ack;
        };
        let id = event.id.clone();
        match self.client.clone().on_topic_event(event).await {
            Ok(answer) => verdict(&answer.into_inner()),
            Err(status) if status.code() == Code::Unimplemented => {
                tracing::warn!(
                    id,
                    topic = message.topic,
                    "dropped an event: the application does not take any"
                );
                Verdict::Ack
            }
            Err(status) => {
                tracing::warn!(id, topic = message.topic, %status, "will redeliver an event");
                Verdict::Retry
            }
        }
    }
}

/// Success and drop are both done with; a status nobody knows is tried again.
pub(super) fn verdict(answer: &TopicEventResponse) -> Verdict {
    match TopicEventResponseStatus::try_from(answer.status) {
        Ok(TopicEventResponseStatus::Success | TopicEventResponseStatus::Drop) => Verdict::Ack,
        Ok(TopicEventResponseStatus::Retry) | Err(_) => Verdict::Retry,
    }
}
