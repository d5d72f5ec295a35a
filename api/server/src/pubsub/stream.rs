//! SubscribeTopicEvents: events over a stream that the application opens.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::Stream;
use tandem_api_contract::pubsub::{Handler, Message, Subscribe, Subscription, Verdict};
use tandem_api_contract::registry::Clients;
use tandem_api_proto::layotto::subscribe_topic_events_request::SubscribeTopicEventsRequestType as Up;
use tandem_api_proto::layotto::subscribe_topic_events_response::SubscribeTopicEventsResponseType as Down;
use tandem_api_proto::layotto::{
    SubscribeTopicEventsRequest, SubscribeTopicEventsResponse, SubscribeTopicEventsResponseInitial,
    TopicEventRequest,
};
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Status, Streaming};

use super::{callback, envelope};
use crate::status::{Origin, component, status};

/// What the client is sent.
pub(crate) type Events =
    Pin<Box<dyn Stream<Item = Result<SubscribeTopicEventsResponse, Status>> + Send>>;
type Sender = mpsc::Sender<Result<SubscribeTopicEventsResponse, Status>>;

/// How many events may wait for a slow client; the rest waits in the back-end.
const WINDOW: usize = 16;

/// The subscriptions that streams hold: one for each pubsub and topic in the process.
#[derive(Debug)]
pub(crate) struct Streams {
    app_id: String,
    taken: Mutex<HashSet<(String, String)>>,
}

impl Streams {
    pub(crate) fn new(app_id: String) -> Self {
        Self {
            app_id,
            taken: Mutex::default(),
        }
    }

    fn take(self: &Arc<Self>, pubsub: &str, topic: &str) -> Result<Taken, Status> {
        let key = (pubsub.to_owned(), topic.to_owned());
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if !taken.insert(key.clone()) {
            return Err(unknown(format!(
                "already subscribed to pubsub {pubsub:?} topic {topic:?}"
            )));
        }
        Ok(Taken {
            streams: Arc::clone(self),
            key,
        })
    }
}

/// Frees its pubsub and topic when dropped.
struct Taken {
    streams: Arc<Streams>,
    key: (String, String),
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self
            .streams
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.key);
    }
}

/// Layotto's errors here are plain Go errors.
fn unknown(message: impl Into<String>) -> Status {
    status(Origin::Api, Code::Unknown, message)
}

/// Opens a subscription that lives as long as the stream.
pub(crate) async fn subscribe(
    clients: &Clients,
    streams: &Arc<Streams>,
    mut requests: Streaming<SubscribeTopicEventsRequest>,
) -> Result<Events, Status> {
    let first = requests
        .message()
        .await?
        .and_then(|m| m.subscribe_topic_events_request_type);
    let Some(Up::InitialRequest(initial)) = first else {
        return Err(unknown("initial request is required"));
    };
    if initial.pubsub_name.is_empty() {
        return Err(unknown("pubsubName is required"));
    }
    if initial.topic.is_empty() {
        return Err(unknown("topic is required"));
    }
    let (name, topic) = (initial.pubsub_name, initial.topic);
    let Some(pubsub) = clients.pubsub.get(&name) else {
        return Err(unknown(format!("pubsub {name} is not initialized.")));
    };
    let taken = streams.take(&name, &topic)?;
    let (sender, events) = mpsc::channel(WINDOW);
    let waiting = Arc::new(Waiting::default());
    let mut metadata = initial.metadata;
    metadata
        .entry("consumerID".to_owned())
        .or_insert_with(|| streams.app_id.clone());
    let handler = Deliver {
        pubsub_name: name,
        events: sender.clone(),
        waiting: Arc::clone(&waiting),
    };
    // The client knows that it is subscribed before the first event comes.
    send(
        &sender,
        Down::InitialResponse(SubscribeTopicEventsResponseInitial {}),
    )
    .await;
    let subscription = pubsub
        .subscribe(Subscribe { topic, metadata }, Arc::new(handler))
        .await;
    let subscription =
        subscription.map_err(|error| component(&error, error.message(), Code::Unknown))?;
    tokio::spawn(acknowledge(requests, sender, waiting, subscription, taken));
    Ok(Box::pin(futures_util::stream::unfold(
        events,
        |mut events| async move { events.recv().await.map(|event| (event, events)) },
    )))
}

/// Takes the client's acknowledgements. When it ends, so does the subscription, and what was
/// not acknowledged is delivered again to whoever subscribes next.
async fn acknowledge(
    mut requests: Streaming<SubscribeTopicEventsRequest>,
    events: Sender,
    waiting: Arc<Waiting>,
    subscription: Subscription,
    taken: Taken,
) {
    loop {
        let next = tokio::select! {
            next = requests.message() => next,
            () = events.closed() => break,
        };
        match next.map(|message| message.and_then(|m| m.subscribe_topic_events_request_type)) {
            Ok(Some(Up::EventProcessed(processed))) => {
                let verdict = processed.status.unwrap_or_default();
                waiting.answer(&processed.id, callback::verdict(&verdict));
            }
            Ok(Some(Up::InitialRequest(_))) => {
                let _ = events
                    .send(Err(unknown("duplicate initial request received")))
                    .await;
                break;
            }
            Ok(None) | Err(_) => break,
        }
    }
    drop(subscription);
    drop(taken);
}

/// Events that the client has and has not answered for.
#[derive(Default)]
struct Waiting(Mutex<HashMap<String, oneshot::Sender<Verdict>>>);

impl Waiting {
    fn expect(&self, id: &str) -> oneshot::Receiver<Verdict> {
        let (sender, receiver) = oneshot::channel();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), sender);
        receiver
    }

    fn answer(&self, id: &str, verdict: Verdict) {
        let sender = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if let Some(sender) = sender {
            let _ = sender.send(verdict);
        }
    }
}

struct Deliver {
    pubsub_name: String,
    events: Sender,
    waiting: Arc<Waiting>,
}

#[tonic::async_trait]
impl Handler for Deliver {
    async fn handle(&self, message: Message) -> Verdict {
        let Some(event) = envelope::unwrap(&self.pubsub_name, &message.topic, &message.data) else {
            return Verdict::Ack;
        };
        let TopicEventRequest { id, .. } = &event;
        let answer = self.waiting.expect(id);
        if !send(&self.events, Down::EventMessage(event)).await {
            return Verdict::Retry;
        }
        answer.await.unwrap_or(Verdict::Retry)
    }
}

async fn send(events: &Sender, message: Down) -> bool {
    let response = SubscribeTopicEventsResponse {
        subscribe_topic_events_response_type: Some(message),
    };
    events.send(Ok(response)).await.is_ok()
}
