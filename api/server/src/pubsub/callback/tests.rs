use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use tandem_api_contract::component::{Building, Component};
use tandem_api_contract::key::KeyPrefix;
use tandem_api_contract::pubsub::{
    Handler, Message, PubSub, Publish, Subscribe, Subscription, Verdict,
};
use tandem_api_contract::registry::Registry;
use tandem_api_contract::{Error, Metadata};
use tandem_api_proto::layotto::app_callback_server::{AppCallback, AppCallbackServer};
use tandem_api_proto::layotto::{
    ListTopicSubscriptionsResponse, PublishEventRequest, TopicEventRequest, TopicEventResponse,
    TopicSubscription,
};
use tandem_core::HttpService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tonic::{Request, Response, Status};
use tower::ServiceExt as _;

use crate::Process;
use crate::testing::{filter, process, rpc, settings};

/// What the application still has to answer, by the event's data; the last first.
type Answers = BTreeMap<Vec<u8>, Vec<Result<i32, Status>>>;

/// An application that wants topic `t` and answers each event with the statuses it was given for
/// its data, the last first, then with success.
#[derive(Clone, Default)]
struct App {
    answers: Arc<Mutex<Answers>>,
    events: Arc<Mutex<Vec<TopicEventRequest>>>,
    lists: Arc<Mutex<u32>>,
    /// Tells the connections to leave.
    leave: Arc<Notify>,
    /// Tells that no more connections are taken.
    close: Arc<Notify>,
    /// Lets events be answered whose data begin with `slow`.
    go: Arc<Notify>,
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
        if event.data.starts_with(b"slow") {
            self.events.lock().unwrap().push(event);
            self.go.notified().await;
            return Ok(Response::new(TopicEventResponse { status: 0 }));
        }
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.get_mut(&event.data[..]).and_then(Vec::pop);
        self.events.lock().unwrap().push(event);
        answer
            .unwrap_or(Ok(0))
            .map(|status| Response::new(TopicEventResponse { status }))
    }
}

impl App {
    /// Serves until it is aborted.
    async fn listen(&self, listener: TcpListener) -> JoinHandle<()> {
        let app = self.clone();
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        connections.spawn(app.clone().serve(accepted.unwrap().0));
                    }
                    () = app.close.notified() => break,
                }
            }
            drop(listener);
            connections.join_all().await;
        })
    }

    async fn serve(self, stream: TcpStream) {
        let leave = self.leave.clone();
        let service = AppCallbackServer::new(self).map_request(|request: http::Request<_>| request);
        let service = hyper_util::service::TowerToHyperService::new(service);
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = leave.notified() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
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
    // Bound and not listening: whenever nobody listens there, nobody else is given the port.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.set_reuseaddr(true).unwrap();
    reserved.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = reserved.local_addr().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let process = process(Some(address.port())).await;
    let service = filter(&process);
    keep_events(&process).await;
    // It tried in vain.
    drop(listener.accept().await.unwrap());
    drop(listener);

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

/// A connection that the application leaves ends what runs on it; what comes takes another.
#[tokio::test]
async fn a_connection_that_is_left_is_followed_by_another() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let process = process(Some(listener.local_addr().unwrap().port())).await;
    let service = filter(&process);
    let app = App::default();
    keep_events(&process).await;
    let _running = app.listen(listener).await;
    publish(&service, "slow").await;
    app.until_delivered("slow", 1).await;
    app.leave.notify_one();
    publish(&service, "next").await;
    app.until_delivered("next", 1).await;
    app.go.notify_one();
    publish(&service, "last").await;
    app.until_delivered("last", 1).await;
    process.close();
    process.finished().await;
    let deliveries = ["slow", "next", "last"].map(|data| app.deliveries(data));
    assert_eq!(deliveries, [1, 1, 1]);
}

/// An application that ends in an orderly way answers what it has in hand, and gets it no more.
#[tokio::test]
async fn what_an_application_answers_while_it_ends_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let process = process(Some(address.port())).await;
    let service = filter(&process);
    keep_events(&process).await;
    let first = App::default();
    let running = first.listen(listener).await;
    publish(&service, "slow").await;
    first.until_delivered("slow", 1).await;
    first.close.notify_one();
    first.leave.notify_one();
    let second = App::default();
    let _second = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break second.listen(listener).await,
            // The first has the port still.
            Err(_) => tokio::task::yield_now().await,
        }
    };
    publish(&service, "next").await;
    until(|| first.deliveries("next") + second.deliveries("next") == 1).await;
    first.go.notify_one();
    running.await.unwrap();
    publish(&service, "last").await;
    second.until_delivered("last", 1).await;
    process.close();
    process.finished().await;
    assert_eq!(
        (first.deliveries("slow"), second.deliveries("slow")),
        (1, 0)
    );
}

/// A process that ends waits for the answers, and takes nothing new.
#[tokio::test]
async fn the_end_of_the_process_waits_for_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let process = process(Some(listener.local_addr().unwrap().port())).await;
    let service = filter(&process);
    let app = App::default();
    keep_events(&process).await;
    let _running = app.listen(listener).await;
    publish(&service, "slow").await;
    app.until_delivered("slow", 1).await;
    process.close();
    let finished = process.finished();
    tokio::pin!(finished);
    let early = tokio::time::timeout(Duration::from_millis(50), finished.as_mut()).await;
    assert!(early.is_err());
    publish(&service, "late").await;
    app.go.notify_one();
    finished.await;
    assert_eq!((app.deliveries("slow"), app.deliveries("late")), (1, 0));
}

/// Fails as often as it is told to, and then subscribes.
#[derive(Clone)]
struct Stubborn(Arc<AtomicU32>);

#[async_trait::async_trait]
impl PubSub for Stubborn {
    async fn publish(&self, _: Publish) -> Result<(), Error> {
        Ok(())
    }

    async fn subscribe(
        &self,
        subscribe: Subscribe,
        handler: Arc<dyn Handler>,
    ) -> Result<Subscription, Error> {
        if self.0.fetch_sub(1, Relaxed) > 1 {
            return Err(Error::unavailable("no space is left"));
        }
        Ok(Subscription::spawn(async move |_| {
            let message = Message {
                topic: subscribe.topic,
                data: "hi".into(),
                metadata: Metadata::new(),
            };
            handler.handle(message).await;
        }))
    }
}

impl Component<dyn PubSub> for Stubborn {
    fn client(&self) -> Arc<dyn PubSub> {
        Arc::new(self.clone())
    }
}

#[tokio::test]
async fn a_subscription_that_cannot_start_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let broker = Stubborn(Arc::new(AtomicU32::new(4)));
    let mut registry = Registry::default();
    let building = Building::PubSub(Arc::new(broker));
    registry.insert("pubsub", "pubsub.stubborn", KeyPrefix::default(), building);
    let settings = Arc::new(settings(Some(port)));
    let _process = Process::start(settings, registry).await.unwrap();
    let app = App::default();
    let _running = app.listen(listener).await;
    app.until_delivered("hi", 1).await;
    assert_eq!(*app.lists.lock().unwrap(), 1);
}
