use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use tandem_api_contract::pubsub::{Handler, Message, Subscribe, Verdict};
use tandem_api_proto::layotto::app_callback_server::{AppCallback, AppCallbackServer};
use tandem_api_proto::layotto::{
    ListTopicSubscriptionsResponse, PublishEventRequest, TopicEventRequest, TopicEventResponse,
    TopicSubscription,
};
use tandem_core::HttpService;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};
use tower::ServiceExt as _;

use crate::Process;
use crate::testing::{filter, process, rpc};

/// What the application still has to answer, by the event's data; the last first.
type Answers = BTreeMap<Vec<u8>, Vec<Result<i32, Status>>>;

/// An application that wants topic `t` and answers each event with the statuses it was given for
/// its data, the last first, then with success.
#[derive(Clone, Default)]
struct App {
    answers: Arc<Mutex<Answers>>,
    events: Arc<Mutex<Vec<TopicEventRequest>>>,
    lists: Arc<Mutex<u32>>,
}

#[tonic::async_trait]
impl AppCallback for App {
    async fn list_topic_subscriptions(
        &self,
        _: Request<()>,
    ) -> Result<Response<ListTopicSubscriptionsResponse>, Status> {
        *self.lists.lock().unwrap() += 1;
        let wanted = TopicSubscription {
            pubsub_name: "pubsub".into(),
            topic: "t".into(),
            ..TopicSubscription::default()
        };
        let unknown = TopicSubscription {
            pubsub_name: "nobody".into(),
            topic: "t".into(),
            ..TopicSubscription::default()
        };
        Ok(Response::new(ListTopicSubscriptionsResponse {
            subscriptions: vec![unknown, wanted],
        }))
    }

    async fn on_topic_event(
        &self,
        request: Request<TopicEventRequest>,
    ) -> Result<Response<TopicEventResponse>, Status> {
        let event = request.into_inner();
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.get_mut(&event.data[..]).and_then(Vec::pop);
        self.events.lock().unwrap().push(event);
        answer
            .unwrap_or(Ok(0))
            .map(|status| Response::new(TopicEventResponse { status }))
    }
}

impl App {
    /// Serves one connection after the other until it is aborted.
    async fn listen(&self, listener: TcpListener) -> JoinHandle<()> {
        let service = AppCallbackServer::new(self.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service
                    .clone()
                    .map_request(|request: http::Request<_>| request);
                let service = hyper_util::service::TowerToHyperService::new(service);
                let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        })
    }

    /// How often an event was delivered.
    fn deliveries(&self, data: &str) -> usize {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.data == data).count()
    }

    async fn until_delivered(&self, data: &str, times: usize) {
        until(|| self.deliveries(data) >= times).await;
    }
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for too long");
}

/// Handles nothing.
struct Nobody;

#[async_trait::async_trait]
impl Handler for Nobody {
    async fn handle(&self, _: Message) -> Verdict {
        Verdict::Retry
    }
}

/// Makes the application's group known, so that it gets what is published before it subscribes.
async fn keep_events(process: &Process) {
    let clients = process.components().clients();
    let subscribe = Subscribe {
        topic: "t".into(),
        ..Subscribe::default()
    };
    let broker = clients.pubsub.get("pubsub").unwrap();
    drop(broker.subscribe(subscribe, Arc::new(Nobody)).await.unwrap());
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

/// The application starts after its sidecar, gets its events, and gets them again after it was
/// restarted.
#[tokio::test]
async fn an_application_may_come_late_and_come_back() {
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    let process = process(Some(address.port())).await;
    let service = filter(&process);
    keep_events(&process).await;
    // It tried in vain.
    drop(reserved.accept().await.unwrap());
    drop(reserved);

    for round in 1..=2 {
        let app = App::default();
        let running = app.listen(TcpListener::bind(address).await.unwrap()).await;
        until(|| *app.lists.lock().unwrap() == 1).await;
        publish(&service, "hi").await;
        app.until_delivered("hi", 1).await;
        let event = app.events.lock().unwrap()[0].clone();
        assert_eq!(
            (event.topic.as_str(), event.data),
            ("t", "hi".into()),
            "round {round}"
        );
        running.abort();
        let _ = running.await;
    }
}

/// RETRY and errors deliver again; DROP and UNIMPLEMENTED do not.
#[tokio::test]
async fn the_applications_answer_decides_over_redelivery() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let process = process(Some(listener.local_addr().unwrap().port())).await;
    let service = filter(&process);
    let app = App::default();
    let cases = [
        ("dropped", vec![Ok(2)], 1),
        ("unimplemented", vec![Err(Status::unimplemented("x"))], 1),
        ("failed", vec![Err(Status::internal("x"))], 2),
        // The last: when it comes for the third time, whatever was to come again has come.
        ("again", vec![Ok(1), Ok(1)], 3),
    ];
    keep_events(&process).await;
    let _running = app.listen(listener).await;
    for (data, answers, _) in &cases {
        let key = data.as_bytes().to_vec();
        app.answers.lock().unwrap().insert(key, answers.clone());
        publish(&service, data).await;
        app.until_delivered(data, 1).await;
    }
    app.until_delivered("again", 3).await;
    for (data, _, deliveries) in cases {
        assert_eq!(app.deliveries(data), deliveries, "{data}");
    }
}
