//! REST against a control plane that the test plays, request by request.

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::service_fn;

use super::*;
use crate::connect::{Address, Channel, Protocol, Server};
use crate::poll::{Rest, Timing};
use crate::tests::served::{http1, listen, serve};
use crate::{NoService, Node};

type Answer = (u16, &'static str);
type Call = (String, Value, oneshot::Sender<Answer>);

/// Requests to a control plane, as they come.
struct Plane(mpsc::UnboundedReceiver<Call>);

impl Plane {
    /// Answers the next request and returns its path and body.
    async fn answer(&mut self, status: u16, body: &'static str) -> (String, Value) {
        let (path, json, answer) = self.call().await;
        answer.send((status, body)).unwrap();
        (path, json)
    }

    async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(Duration::from_secs(120), self.0.recv());
        call.await.unwrap().unwrap()
    }
}

async fn respond(
    calls: mpsc::UnboundedSender<Call>,
    request: Request<Body>,
) -> Result<Response<Body>, String> {
    let (parts, body) = request.into_parts();
    let path = format!("{} {}", parts.method, parts.uri.path());
    assert_eq!(parts.headers["content-type"], "application/json");
    let body = body.collect().await.unwrap().to_bytes();
    let (answer, answered) = oneshot::channel();
    let json = serde_json::from_slice(&body).unwrap();
    calls.send((path, json, answer)).map_err(|_| "gone")?;
    let (status, body) = answered.await.map_err(|_| "no answer")?;
    let mut response = Response::new(Body::new(Full::from(body)));
    *response.status_mut() = status.try_into().unwrap();
    Ok(response)
}

fn rest(url: &'static str, wildcard: bool) -> (Rest, Consumer) {
    every(Duration::from_secs(10), url, wildcard)
}

fn every(refresh: Duration, url: &'static str, wildcard: bool) -> (Rest, Consumer) {
    let node = Node {
        id: "sidecar".to_owned(),
        metadata: json!({"a": [1]}).as_object().unwrap().clone(),
        ..Node::default()
    };
    let timing = Timing {
        jitter: Duration::ZERO,
        ..Timing::new(refresh)
    };
    Rest::new(url, wildcard, None, &node, timing, decode(url)).unwrap()
}

/// Runs `rest` against as many control planes as are asked for, without a socket.
fn start<const N: usize>(rest: Rest) -> [Plane; N] {
    let mut planes = Vec::new();
    let mut services = [(); N]
        .map(|()| {
            let (calls, queue) = mpsc::unbounded_channel();
            planes.push(Plane(queue));
            service_fn(move |request| respond(calls.clone(), request))
        })
        .into_iter();
    let first = services.next().unwrap();
    tokio::spawn(rest.run(first, services.collect::<Vec<_>>()));
    planes.try_into().ok().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_request_says_who_asks_for_what_and_the_version_held() {
    let (rest, mut clusters) = rest(CDS, true);
    let [mut plane] = start(rest);
    let begin = Instant::now();
    let (path, json) = plane.answer(200, "1: a b").await;
    assert_eq!(path, "POST /v3/discovery:clusters");
    let node = json!({"id": "sidecar", "metadata": {"a": [1]}});
    assert_eq!(json, json!({"node": node, "type_url": CDS}));
    let first = offer(&mut clusters).await;
    assert_eq!(
        (names(&first), first.update().complete),
        (vec!["a", "b"], true)
    );
    first.accept();
    let (_, json) = plane.answer(304, "").await;
    assert_eq!(json["version_info"], "1");
    assert_eq!(begin.elapsed().as_secs(), 10);
    plane.answer(200, "2: a").await;
    assert_eq!(begin.elapsed().as_secs(), 20);
    let second = offer(&mut clusters).await;
    assert_eq!(names(&second), ["a"]);
    second.accept();
    let (_, json) = plane.answer(200, "2: a").await;
    assert_eq!(json["version_info"], "2");
    drop(plane.call().await);
    let stats = clusters.stats().borrow().clone();
    // Two changes, one `304`, one that was the same again.
    assert_eq!((stats.update_success, &*stats.version), (4, "2"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_response_is_answered_by_the_next_request_and_offered_once() {
    let (rest, mut clusters) = rest(CDS, true);
    let [mut plane] = start(rest);
    plane.answer(200, "1: a").await;
    offer(&mut clusters).await.accept();
    plane.answer(200, "2: bad").await;
    offer(&mut clusters).await.reject("no such thing");
    let (_, json) = plane.answer(200, "2: bad").await;
    assert_eq!(json["version_info"], "1");
    assert_eq!(json["error_detail"]["message"], "no such thing");
    let (_, json) = plane.answer(200, "3: a b").await;
    assert_eq!(json["error_detail"]["message"], "no such thing");
    let third = offer(&mut clusters).await;
    assert_eq!(third.update().version, "3");
    third.accept();
    let (_, json) = plane.answer(304, "").await;
    assert_eq!(
        (&json["version_info"], json.get("error_detail")),
        (&json!("3"), None)
    );
    assert_eq!(clusters.stats().borrow().update_rejected, 2);
}

#[tokio::test(start_paused = true)]
async fn other_names_are_asked_for_at_once() {
    let (rest, mut endpoints) = rest(EDS, false);
    let [mut plane] = start(rest);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(plane.0.try_recv().is_err());
    endpoints.subscribe(["a"]);
    let begin = Instant::now();
    let (path, json) = plane.answer(200, "1: a").await;
    assert_eq!(path, "POST /v3/discovery:endpoints");
    assert_eq!(json["resource_names"], json!(["a"]));
    offer(&mut endpoints).await.accept();
    endpoints.subscribe(["b"]);
    let (_, _, answer) = plane.call().await;
    endpoints.subscribe(["c"]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    answer.send((200, "1: a")).unwrap();
    offer(&mut endpoints).await.accept();
    let (_, json) = plane.answer(304, "").await;
    assert_eq!(json["resource_names"], json!(["a", "b", "c"]));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

/// go-control-plane has one version for all clusters' endpoints, and answers 304 to who holds it.
#[tokio::test(start_paused = true)]
async fn with_other_names_no_version_is_claimed_until_they_are_heard_of() {
    let (rest, mut endpoints) = rest(EDS, false);
    let [mut plane] = start(rest);
    endpoints.subscribe(["a"]);
    plane.answer(200, "1: a").await;
    offer(&mut endpoints).await.accept();
    endpoints.subscribe(["b"]);
    let (_, json) = plane.answer(500, "").await;
    assert_eq!(json.get("version_info"), None);
    let (_, json, answer) = plane.call().await;
    assert_eq!(json.get("version_info"), None);
    // While it is on its way another name is added, of which its answer knows nothing.
    endpoints.subscribe(["c"]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    answer.send((200, "1: a b")).unwrap();
    offer(&mut endpoints).await.accept();
    let (_, json) = plane.answer(200, "1: a b c").await;
    assert_eq!(json.get("version_info"), None);
    let all = offer(&mut endpoints).await;
    assert_eq!(names(&all), ["a", "b", "c"]);
    all.accept();
    let (_, json) = plane.answer(304, "").await;
    assert_eq!(json["version_info"], "1");
}

#[tokio::test(start_paused = true)]
async fn errors_and_silence_are_counted_and_the_backup_is_asked() {
    let (rest, mut clusters) = rest(CDS, true);
    let connection = rest.connection();
    let [mut one, mut two] = start(rest);
    one.answer(200, "1: a").await;
    offer(&mut clusters).await.accept();
    one.answer(500, "").await;
    let (_, json) = two.answer(200, "not this").await;
    assert_eq!(json.get("version_info"), None);
    let failure = |expected: &str| {
        let state = connection.borrow();
        let failure = state.failure.clone().unwrap();
        assert!(!state.connected && failure.contains(expected), "{failure}");
    };
    failure("500");
    let (_, json, silent) = one.call().await;
    assert_eq!(json["version_info"], "1");
    failure("expected `version: names`");
    let begin = Instant::now();
    two.answer(200, "1: b").await;
    failure("timed out");
    // The limit of a request, and the wait after it.
    assert_eq!(begin.elapsed().as_secs(), 11);
    drop(silent);
    assert_eq!(names(&offer(&mut clusters).await), ["b"]);
    assert_eq!(clusters.stats().borrow().update_failure, 3);
    assert!(connection.borrow().connected);
    assert_eq!(connection.borrow().server, 1);
}

#[tokio::test]
async fn over_a_socket_it_is_plain_http_1() {
    let (listener, address) = listen().await;
    let (calls, queue) = mpsc::unbounded_channel();
    let service = service_fn(move |request| respond(calls.clone(), request));
    let _served = serve(listener, move |stream| http1(stream, service.clone()));
    let timing = Timing {
        // Nothing here is to wait in vain, and the time is real.
        request: Duration::from_secs(60),
        ..Timing::new(Duration::from_millis(1))
    };
    let made = Rest::new(CDS, true, None, &Node::default(), timing, decode(CDS));
    let (rest, mut clusters) = made.unwrap();
    let host = "127.0.0.1".to_owned();
    let port = address.port();
    let channel = Channel::new(Server {
        protocol: Protocol::Http1,
        ..Server::new([Address::Tcp { host, port }])
    });
    let running = tokio::spawn(rest.run(channel, []));
    let mut plane = Plane(queue);
    plane.answer(200, "1: a").await;
    offer(&mut clusters).await.accept();
    plane.answer(304, "").await;
    drop(clusters);
    running.await.unwrap();
}

#[test]
fn a_type_that_rest_does_not_serve_is_an_error() {
    let timing = Timing::new(Duration::from_secs(1));
    let url = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
    let made = Rest::new(url, true, None, &Node::default(), timing, decode("x"));
    assert_eq!(made.err(), Some(NoService::Type(url.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_of_a_response_is_a_fault_of_its_resource() {
    let (rest, mut clusters) = rest(CDS, true);
    let [mut plane] = start(rest);
    plane.answer(200, "1: a b! c c").await;
    let first = offer(&mut clusters).await;
    assert!(first.update().complete);
    let faults: Vec<_> = (first.update().added.iter())
        .map(|one| (&*one.name, one.fault.as_deref()))
        .collect();
    let twice = Some("duplicate resource `c`");
    let expected = [
        ("a", None),
        ("b!", Some("cannot read b!")),
        ("c", None),
        ("c", twice),
    ];
    assert_eq!(faults, expected);
    first.reject("b!: cannot read b!");
    let (_, json) = plane.answer(304, "").await;
    assert_eq!(json["error_detail"]["message"], "b!: cannot read b!");
    assert_eq!(json.get("version_info"), None);
    assert_eq!(clusters.stats().borrow().update_rejected, 1);
}

/// It may be meant to replace any of those that are there.
#[tokio::test(start_paused = true)]
async fn a_resource_without_a_name_takes_none_away() {
    let (rest, mut clusters) = rest(CDS, true);
    let [mut plane] = start(rest);
    plane.answer(200, "1: a =").await;
    let first = offer(&mut clusters).await;
    assert!(!first.update().complete);
    let faulty = &first.update().added[1];
    let fault = format!("resource of type ``, expected `{CDS}`");
    assert_eq!(
        (&*faulty.name, &faulty.fault),
        ("resources[1]", &Some(fault))
    );
}

#[tokio::test(start_paused = true)]
async fn requests_say_how_long_they_are() {
    let (rest, _clusters) = rest(CDS, true);
    let (told, mut length) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Body>| {
        let told = told.clone();
        async move {
            let said = request.headers()["content-length"]
                .to_str()
                .unwrap()
                .parse::<usize>();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            told.send((said.unwrap(), body.len())).unwrap();
            Err::<Response<Body>, _>("enough")
        }
    });
    tokio::spawn(rest.run(service, []));
    let (said, is) = length.recv().await.unwrap();
    assert_eq!(said, is);
}
