//! `SubscribeTopicEvents`: events over a stream that the application opened.
//!
//! Its first message subscribes, the runtime confirms, then events go out and verdicts come
//! back. When the stream ends, however it does, the subscription ends with it: verdicts that came
//! count, and events without one are delivered again. A process that ends takes no more events,
//! and waits for the verdicts of those that are out.

mod claim;
mod pending;

use std::sync::Arc;

use futures_util::{Stream, stream};
use tandem_api_contract::pubsub::{Handler, Message, Subscribe, Subscription, Verdict};
use tandem_api_proto::layotto::{
    SubscribeTopicEventsRequest, SubscribeTopicEventsRequestInitial, SubscribeTopicEventsResponse,
    SubscribeTopicEventsResponseInitial, TopicEventRequest,
    subscribe_topic_events_request::SubscribeTopicEventsRequestType as Asked,
    subscribe_topic_events_response::SubscribeTopicEventsResponseType as Told,
};
use tandem_core::{BoxFuture, Error as MeshError, Request, Response};
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use self::claim::Claim;
pub(crate) use self::claim::Streams;
use self::pending::Pending;
use super::event;
use crate::grpc::service::body;
use crate::layer::Api;
use crate::status::Error;

/// Events that wait for the client's window.
const QUEUE: usize = 16;

/// Serves one stream.
pub(crate) async fn serve(api: Arc<Api>, request: Request) -> Result<Response, MeshError> {
    let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
    Ok(grpc.streaming(Open(api), request).await.map(body))
}

struct Open(Arc<Api>);

type Events =
    futures_util::stream::BoxStream<'static, Result<SubscribeTopicEventsResponse, Status>>;

impl tonic::server::StreamingService<SubscribeTopicEventsRequest> for Open {
    type Response = SubscribeTopicEventsResponse;
    type ResponseStream = Events;
    type Future = BoxFuture<Result<tonic::Response<Events>, Status>>;

    fn call(
        &mut self,
        request: tonic::Request<Streaming<SubscribeTopicEventsRequest>>,
    ) -> Self::Future {
        let api = Arc::clone(&self.0);
        Box::pin(async move {
            let session = Session::open(&api, request.into_inner()).await?;
            let events: Events = Box::pin(session.events());
            Ok(tonic::Response::new(events))
        })
    }
}

/// Whether a stream gets more events.
enum Subscribed {
    Yes(Subscription),
    /// No, and this resolves when those it got are dealt with.
    Ending(BoxFuture<()>),
}

impl Subscribed {
    fn lives(&self) -> bool {
        matches!(self, Self::Yes(_))
    }

    /// Takes no more events.
    fn end(&mut self) {
        let nothing = Self::Ending(Box::pin(std::future::ready(())));
        *self = match std::mem::replace(self, nothing) {
            Self::Yes(subscription) => Self::Ending(Box::pin(subscription.finish())),
            ending => ending,
        };
    }

    /// Resolves when it has ended.
    async fn ended(&mut self) {
        match self {
            Self::Yes(_) => std::future::pending().await,
            Self::Ending(ending) => ending.await,
        }
    }
}

/// A stream that is subscribed.
struct Session {
    incoming: Streaming<SubscribeTopicEventsRequest>,
    events: mpsc::Receiver<TopicEventRequest>,
    pending: Arc<Pending>,
    closing: watch::Receiver<bool>,
    confirmed: bool,
    subscription: Subscribed,
    /// Lets another stream have the topic after this one.
    _claim: Claim,
}

impl Session {
    async fn open(
        api: &Api,
        mut incoming: Streaming<SubscribeTopicEventsRequest>,
    ) -> Result<Self, Status> {
        let wanted = initial(incoming.message().await?)?;
        let Some(broker) = api.clients.pubsub.get(&wanted.pubsub_name) else {
            return Err(Error::SubscribePubsubNotFound(wanted.pubsub_name).into());
        };
        let claim = api.server.streams().claim(&wanted)?;
        let (sender, events) = mpsc::channel(QUEUE);
        let pending = Arc::new(Pending::default());
        let handler = Forward {
            pubsub: wanted.pubsub_name.clone(),
            events: sender,
            pending: Arc::clone(&pending),
        };
        let subscribe = Subscribe {
            topic: wanted.topic.clone(),
            metadata: wanted.metadata,
        };
        let subscription = broker
            .subscribe(subscribe, Arc::new(handler))
            .await
            .map_err(|cause| Error::Subscribe {
                topic: wanted.topic,
                pubsub: wanted.pubsub_name,
                cause,
            })?;
        Ok(Self {
            incoming,
            events,
            pending,
            closing: api.server.closing(),
            confirmed: false,
            subscription: Subscribed::Yes(subscription),
            _claim: claim,
        })
    }

    /// What goes to the client: the confirmation, then events until one side ends.
    fn events(self) -> impl Stream<Item = Result<SubscribeTopicEventsResponse, Status>> + Send {
        stream::unfold(Some(self), async |session| {
            let mut session = session?;
            match session.next().await {
                Ok(Some(told)) => {
                    let message = SubscribeTopicEventsResponse {
                        subscribe_topic_events_response_type: Some(told),
                    };
                    Some((Ok(message), Some(session)))
                }
                Ok(None) => None,
                Err(status) => Some((Err(status), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Told>, Status> {
        if !self.confirmed {
            self.confirmed = true;
            return Ok(Some(Told::InitialResponse(
                SubscribeTopicEventsResponseInitial {},
            )));
        }
        let mut closing = self.closing.clone();
        loop {
            let asked = tokio::select! {
                asked = self.incoming.message() => asked?,
                // None is left when the last handler has its verdict.
                Some(event) = self.events.recv() => return Ok(Some(Told::EventMessage(event))),
                _ = closing.wait_for(|closing| *closing), if self.subscription.lives() => {
                    self.subscription.end();
                    continue;
                }
                () = self.subscription.ended() => return Err(Error::Closing.into()),
            };
            match asked {
                Some(asked) => self.processed(asked)?,
                None => {
                    self.leave();
                    self.subscription.ended().await;
                    return Ok(None);
                }
            }
        }
    }

    /// The client gives no more verdicts. Those that it gave are still stored.
    fn leave(&mut self) {
        self.subscription.end();
        self.events.close();
        self.pending.abandon();
    }

    fn processed(&self, asked: SubscribeTopicEventsRequest) -> Result<(), Error> {
        let Some(Asked::EventProcessed(processed)) = asked.subscribe_topic_events_request_type
        else {
            return Err(Error::InitialDuplicate);
        };
        // Without a status it is the default one, as everywhere in this API: success.
        let verdict = event::verdict(processed.status.unwrap_or_default().status);
        self.pending.settle(&processed.id, verdict);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The first message, if it is as it must be.
fn initial(
    first: Option<SubscribeTopicEventsRequest>,
) -> Result<SubscribeTopicEventsRequestInitial, Error> {
    let first = first.and_then(|first| first.subscribe_topic_events_request_type);
    let Some(Asked::InitialRequest(wanted)) = first else {
        return Err(Error::InitialRequired);
    };
    if wanted.pubsub_name.is_empty() {
        return Err(Error::SubscribePubsubEmpty);
    }
    if wanted.topic.is_empty() {
        return Err(Error::SubscribeTopicEmpty);
    }
    Ok(wanted)
}

/// Puts events into the stream and waits for their verdicts.
struct Forward {
    pubsub: String,
    events: mpsc::Sender<TopicEventRequest>,
    pending: Arc<Pending>,
}

#[async_trait::async_trait]
impl Handler for Forward {
    async fn handle(&self, message: Message) -> Verdict {
        let Some(event) = event::read(&self.pubsub, message) else {
            return Verdict::Ack;
        };
        let waiting = self.pending.expect(&event.id);
        if self.events.send(event).await.is_err() {
            return Verdict::Unanswered;
        }
        waiting.verdict().await
    }
}

#[cfg(test)]
mod tests;
