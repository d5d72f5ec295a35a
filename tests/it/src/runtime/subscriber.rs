//! A subscriber by stream.

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::subscribe_topic_events_request::SubscribeTopicEventsRequestType as Asked;
use tandem_api_proto::layotto::subscribe_topic_events_response::SubscribeTopicEventsResponseType as Told;
use tandem_api_proto::layotto::{
    SubscribeTopicEventsRequest, SubscribeTopicEventsRequestInitial,
    SubscribeTopicEventsRequestProcessed, SubscribeTopicEventsResponse, TopicEventRequest,
    TopicEventResponse,
};
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::Channel;

/// One that is subscribed to a topic of `pubsub`.
pub struct Subscriber {
    up: mpsc::UnboundedSender<SubscribeTopicEventsRequest>,
    down: Streaming<SubscribeTopicEventsResponse>,
}

impl Subscriber {
    /// Subscribes.
    pub async fn start(mut client: RuntimeClient<Channel>, topic: &str) -> Self {
        let (up, asked) = mpsc::unbounded_channel();
        let initial = Asked::InitialRequest(SubscribeTopicEventsRequestInitial {
            pubsub_name: "pubsub".into(),
            topic: topic.into(),
            ..SubscribeTopicEventsRequestInitial::default()
        });
        up.send(request(initial)).unwrap();
        let asked = futures_util::stream::unfold(asked, async |mut asked| {
            let next = asked.recv().await?;
            Some((next, asked))
        });
        let down = client.subscribe_topic_events(asked).await.unwrap();
        Self {
            up,
            down: down.into_inner(),
        }
    }

    /// The next event; `None` when the sidecar is gone.
    pub async fn next(&mut self) -> Option<TopicEventRequest> {
        loop {
            let told = self.down.message().await.ok()??;
            if let Some(Told::EventMessage(event)) = told.subscribe_topic_events_response_type {
                return Some(event);
            }
        }
    }

    /// Says that an event was dealt with.
    pub fn processed(&self, event: &TopicEventRequest) {
        let processed = Asked::EventProcessed(SubscribeTopicEventsRequestProcessed {
            id: event.id.clone(),
            status: Some(TopicEventResponse { status: 0 }),
        });
        // The sidecar may be gone meanwhile.
        let _ = self.up.send(request(processed));
    }
}

fn request(asked: Asked) -> SubscribeTopicEventsRequest {
    SubscribeTopicEventsRequest {
        subscribe_topic_events_request_type: Some(asked),
    }
}
