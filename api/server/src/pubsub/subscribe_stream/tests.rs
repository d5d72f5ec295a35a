use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tandem_api_proto::Message as _;
use tandem_api_proto::layotto::{
    PublishEventRequest, SubscribeTopicEventsRequest, SubscribeTopicEventsRequestInitial,
    SubscribeTopicEventsRequestProcessed, SubscribeTopicEventsResponse, TopicEventRequest,
    TopicEventResponse, subscribe_topic_events_request::SubscribeTopicEventsRequestType as Asked,
    subscribe_topic_events_response::SubscribeTopicEventsResponseType as Told,
};
use tandem_core::{Body, HttpService};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use crate::grpc::{framed, unframe};
use crate::testing::{call, filter, process, rpc, told};

/// The client's end of a stream.
struct Client {
    up: mpsc::UnboundedSender<Bytes>,
    down: Body,
}

impl Client {
    async fn open(service: &HttpService, first: Asked) -> Result<Self, Status> {
        let (up, asked) = mpsc::unbounded_channel::<Bytes>();
        let asked = futures_util::stream::unfold(asked, async |mut asked| {
            let bytes = asked.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(Frame::data(bytes)), asked))
        });
        let body = Body::new(StreamBody::new(asked.boxed()));
        let client = Self {
            up,
            down: Body::empty(),
        };
        client.send(first);
        let request = call("SubscribeTopicEvents", body);
        let response = service.dispatch(request).await.unwrap();
        match Status::from_header_map(response.headers()) {
            Some(status) => Err(status),
            None => Ok(Self {
                down: response.into_body(),
                ..client
            }),
        }
    }

    fn send(&self, asked: Asked) {
        let message = SubscribeTopicEventsRequest {
            subscribe_topic_events_request_type: Some(asked),
        };
        let mut buffer = framed(message.encoded_len());
        message.encode(&mut buffer).unwrap();
        self.up.send(buffer.freeze()).unwrap();
    }

    fn processed(&self, id: &str, status: i32) {
        self.send(Asked::EventProcessed(
            SubscribeTopicEventsRequestProcessed {
                id: id.into(),
                status: Some(TopicEventResponse { status }),
            },
        ));
    }

    async fn next(&mut self) -> Result<Told, Status> {
        let frame = self.down.frame().await.unwrap().unwrap();
        match frame.into_data() {
            Ok(data) => {
                let message = SubscribeTopicEventsResponse::decode(unframe(data).unwrap());
                Ok(message
                    .unwrap()
                    .subscribe_topic_events_response_type
                    .unwrap())
            }
            Err(frame) => {
                Err(Status::from_header_map(&frame.into_trailers().ok().unwrap()).unwrap())
            }
        }
    }

    /// Says that it sends no more, and reads the end.
    async fn half_close(mut self) {
        drop(self.up);
        let frame = self.down.frame().await.unwrap().unwrap();
        let trailers = frame.into_trailers().ok().unwrap();
        let status = Status::from_header_map(&trailers).unwrap();
        assert_eq!(status.code(), Code::Ok);
    }

    async fn event(&mut self) -> TopicEventRequest {
        match self.next().await.unwrap() {
            Told::EventMessage(event) => event,
            Told::InitialResponse(_) => panic!("expected an event"),
        }
    }
}

fn initial(pubsub: &str, topic: &str) -> Asked {
    Asked::InitialRequest(SubscribeTopicEventsRequestInitial {
        pubsub_name: pubsub.into(),
        topic: topic.into(),
        ..SubscribeTopicEventsRequestInitial::default()
    })
}

async fn publish(service: &HttpService, data: &'static str) {
    let request = PublishEventRequest {
        pubsub_name: "pubsub".into(),
        topic: "t".into(),
        data: data.into(),
        ..PublishEventRequest::default()
    };
    rpc::<()>(service, "PublishEvent", &request).await.unwrap();
}

#[tokio::test]
async fn events_come_and_what_is_to_be_retried_comes_again() {
    let process = process(None).await;
    let service = filter(&process);
    let mut client = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(client.next().await, Ok(Told::InitialResponse(_))));
    publish(&service, "one").await;
    let event = client.event().await;
    assert_eq!(event.data, "one");
    client.processed(&event.id, 1);
    let again = client.event().await;
    assert_eq!(again.id, event.id);
    client.processed(&again.id, 0);
    publish(&service, "two").await;
    assert_eq!(client.event().await.data, "two");
}

/// Closing unsubscribes; what had no verdict goes to whoever subscribes next.
#[tokio::test]
async fn closing_unsubscribes_and_returns_what_had_no_verdict() {
    let process = process(None).await;
    let service = filter(&process);
    let mut first = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(first.next().await, Ok(Told::InitialResponse(_))));
    publish(&service, "one").await;
    let event = first.event().await;

    let twice = Client::open(&service, initial("pubsub", "t"))
        .await
        .err()
        .unwrap();
    let text = "already subscribed to pubsub \"pubsub\" topic \"t\"";
    assert_eq!(told(&twice), (Code::Unknown, text, "api"));

    drop(first);
    let mut second = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(second.next().await, Ok(Told::InitialResponse(_))));
    let again = tokio::time::timeout(Duration::from_secs(60), second.event()).await;
    assert_eq!(again.unwrap().id, event.id);
}

/// What the client said before it closed counts, and only that.
#[tokio::test]
async fn verdicts_count_that_came_before_the_end() {
    let process = process(None).await;
    let service = filter(&process);
    let mut first = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(first.next().await, Ok(Told::InitialResponse(_))));
    for data in ["one", "two", "three"] {
        publish(&service, data).await;
        let event = first.event().await;
        if event.data != "two" {
            first.processed(&event.id, 0);
        }
    }
    first.half_close().await;

    let mut second = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(second.next().await, Ok(Told::InitialResponse(_))));
    assert_eq!(second.event().await.data, "two");
    publish(&service, "last").await;
    assert_eq!(second.event().await.data, "last");
}

/// A process that ends takes no more events, and waits for the verdicts of those that are out.
#[tokio::test]
async fn the_end_of_the_process_waits_for_verdicts() {
    let process = process(None).await;
    let service = filter(&process);
    let mut client = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(client.next().await, Ok(Told::InitialResponse(_))));
    publish(&service, "one").await;
    let event = client.event().await;
    process.close();
    let early = tokio::time::timeout(Duration::from_millis(50), client.next()).await;
    assert!(early.is_err());
    publish(&service, "two").await;
    client.processed(&event.id, 0);
    assert_eq!(client.next().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn wrong_first_messages_are_refused() {
    let process = process(None).await;
    let service = filter(&process);
    let processed = Asked::EventProcessed(SubscribeTopicEventsRequestProcessed::default());
    for (first, text) in [
        (processed, "initial request is required"),
        (initial("", "t"), "pubsubName is required"),
        (initial("pubsub", ""), "topic is required"),
        (initial("x", "t"), "pubsub x is not initialized."),
    ] {
        let status = Client::open(&service, first).await.err().unwrap();
        assert_eq!(told(&status), (Code::Unknown, text, "api"));
    }
}

#[tokio::test]
async fn a_second_initial_request_ends_the_stream() {
    let process = process(None).await;
    let service = filter(&process);
    let mut client = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(client.next().await, Ok(Told::InitialResponse(_))));
    client.send(initial("pubsub", "t"));
    let status = client.next().await.unwrap_err();
    assert_eq!(status.message(), "duplicate initial request received");
}

#[tokio::test]
async fn the_end_of_the_process_ends_the_stream() {
    let process = process(None).await;
    let service = filter(&process);
    let mut client = Client::open(&service, initial("pubsub", "t"))
        .await
        .unwrap();
    assert!(matches!(client.next().await, Ok(Told::InitialResponse(_))));
    process.close();
    assert_eq!(client.next().await.unwrap_err().code(), Code::Unavailable);
}
