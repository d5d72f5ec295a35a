use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
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

use crate::testing::{filter, process, rpc};

/// An application that wants topic `t` and answers with the statuses it was given, then with
/// success.
#[derive(Clone, Default)]
struct App {
    answers: Arc<Mutex<Vec<Result<i32, Status>>>>,
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
        self.events.lock().unwrap().push(request.into_inner());
        let answer = self.answers.lock().unwrap().pop().unwrap_or(Ok(0));
        answer.map(|status| Response::new(TopicEventResponse { status }))
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

    async fn until_events(&self, count: usize) {
        until(|| self.events.lock().unwrap().len() >= count).await;
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
    drop(reserved);
    let process = process(Some(address.port())).await;
    let service = filter(&process);
    tokio::time::sleep(Duration::from_millis(100)).await;

    for round in 1..=2 {
        let app = App::default();
        let running = app.listen(TcpListener::bind(address).await.unwrap()).await;
        until(|| *app.lists.lock().unwrap() == 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        publish(&service, "hi").await;
        app.until_events(1).await;
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
    let _running = app.listen(listener).await;
    until(|| *app.lists.lock().unwrap() == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    for (answer, deliveries) in [
        (Ok(1), 2),
        (Err(Status::internal("x")), 2),
        (Ok(2), 1),
        (Err(Status::unimplemented("x")), 1),
    ] {
        app.events.lock().unwrap().clear();
        app.answers.lock().unwrap().push(answer.clone());
        publish(&service, "x").await;
        app.until_events(deliveries).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(app.events.lock().unwrap().len(), deliveries, "{answer:?}");
    }
}
