use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use tandem_core::error::Kind;
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::{Body, Error};
use tokio::time::Instant;

use super::*;
use crate::upload::Upload;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    pairs.collect()
}

fn planned(policy: &RoutePolicy, pairs: &[(&'static str, &'static str)]) -> (Limits, HeaderMap) {
    let mut headers = headers(pairs);
    let expected = expected_by_default(policy);
    let limits = plan(policy, expected.as_ref(), &mut headers, true, true);
    (limits, headers)
}

fn millis(n: u64) -> Option<Duration> {
    Some(Duration::from_millis(n))
}

/// Callers may shorten or lift the limits; the upstream is told what remains of them.
#[test]
fn callers_set_limits() {
    let policy = RoutePolicy::default();
    let (limits, left) = planned(&policy, &[]);
    assert_eq!(limits.route, millis(15_000));
    assert_eq!(left["x-envoy-expected-rq-timeout-ms"], "15000");
    let asked = [
        ("x-envoy-upstream-rq-timeout-ms", "500"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "100"),
    ];
    let (limits, left) = planned(&policy, &asked);
    assert_eq!((limits.route, limits.per_try), (millis(500), millis(100)));
    assert_eq!(left["x-envoy-expected-rq-timeout-ms"], "100");
    assert_eq!(left.len(), 1);
    let (limits, left) = planned(&policy, &[("x-envoy-upstream-rq-timeout-ms", "0")]);
    assert_eq!(limits.route, None);
    assert!(left.is_empty());
}

/// A try cannot outlast the whole.
#[test]
fn a_per_try_limit_beyond_the_route_is_none() {
    let asked = [("x-envoy-upstream-rq-per-try-timeout-ms", "20000")];
    let (limits, left) = planned(&RoutePolicy::default(), &asked);
    assert_eq!(limits.per_try, None);
    assert_eq!(left["x-envoy-expected-rq-timeout-ms"], "15000");
}

/// `grpc-timeout` is the stream's limit only where the route says so, capped and shifted.
#[test]
fn grpc_timeout_limits_the_stream() {
    let mut policy = RoutePolicy {
        max_stream_duration: millis(9000),
        ..RoutePolicy::default()
    };
    let asked = [("grpc-timeout", "2S")];
    assert_eq!(planned(&policy, &asked).0.stream, millis(9000));
    policy.grpc_timeout_header_max = Some(Duration::ZERO);
    assert_eq!(planned(&policy, &asked).0.stream, millis(2000));
    policy.grpc_timeout_header_max = millis(1500);
    policy.grpc_timeout_header_offset = millis(100);
    assert_eq!(planned(&policy, &asked).0.stream, millis(1400));
    assert_eq!(planned(&policy, &asked).1["grpc-timeout"], "1400m");
    assert_eq!(planned(&policy, &[]).0.stream, millis(9000));
}

/// `max_grpc_timeout` is of the route's limit, whatever `timeout` says, and the server is told.
#[test]
fn grpc_timeout_may_take_the_place_of_the_routes() {
    let policy = |max, offset| RoutePolicy {
        timeout: millis(200),
        max_grpc_timeout: millis(max),
        grpc_timeout_offset: offset,
        ..RoutePolicy::default()
    };
    for (max, offset, asked, limit) in [
        (400, None, None, millis(400)),
        (400, None, Some("100m"), millis(100)),
        (400, None, Some("2S"), millis(400)),
        (400, None, Some("0S"), millis(400)),
        (400, millis(30), Some("100m"), millis(70)),
        (400, millis(100), Some("100m"), millis(100)),
        (0, None, Some("2S"), millis(2000)),
        (0, None, None, None),
    ] {
        let headers: Vec<_> = asked.iter().map(|asked| ("grpc-timeout", *asked)).collect();
        let (limits, left) = planned(&policy(max, offset), &headers);
        assert_eq!(limits.route, limit, "{max} {offset:?} {asked:?}");
        let told = left.get("grpc-timeout").and_then(|v| v.to_str().ok());
        let millis = limit.map(|limit| format!("{}m", limit.as_millis()));
        assert_eq!(told, millis.as_deref().or(asked));
        let expected = left.get("x-envoy-expected-rq-timeout-ms");
        assert_eq!(expected.is_some(), limit.is_some());
    }
}

fn info() -> StreamInfo {
    let connection = ConnectionInfo {
        id: 1,
        listener: "".into(),
        ..Default::default()
    };
    StreamInfo::new(Arc::new(connection), Protocol::Http11, 1)
}

/// The route's limit counts from the end of the request, not from its start.
#[tokio::test(start_paused = true)]
async fn the_route_limit_begins_with_the_end_of_the_request() {
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let body = futures_util::stream::once(async move {
        let _ = receive.await;
        Ok::<_, Error>(http_body::Frame::data(bytes::Bytes::from_static(b"x")))
    });
    let body = Body::new(http_body_util::StreamBody::new(body));
    let upload = Upload::begin(body, None).unwrap();
    let limits = Limits {
        route: millis(100),
        per_try: None,
        per_try_idle: None,
        stream: None,
        no_content: false,
        tells_grpc: false,
    };
    let mut alarm = Alarm::new(&limits, &upload, &info(), None);
    let mut reading = upload.outgoing();
    let reader = tokio::spawn(async move {
        use http_body_util::BodyExt as _;
        while reading.frame().await.is_some() {}
    });
    let long = Box::pin(tokio::time::sleep(Duration::from_secs(60)));
    assert!(within(&mut alarm, long).await.is_ok());
    send.send(()).unwrap();
    reader.await.unwrap();
    let began = Instant::now();
    let error = within(&mut alarm, std::future::pending::<()>()).await;
    assert!(matches!(error.unwrap_err().kind(), Kind::RequestTimeout));
    assert_eq!(began.elapsed().as_millis(), 100);
}

/// Whichever limit passes first says what happened.
#[tokio::test(start_paused = true)]
async fn the_first_limit_rings() {
    // The stream's limit counts by the machine's clock, which does not stand still here.
    let limits = Limits {
        route: millis(60_000),
        per_try: None,
        per_try_idle: None,
        stream: millis(50),
        no_content: false,
        tells_grpc: false,
    };
    let mut alarm = Alarm::new(&limits, &Upload::Empty, &info(), None);
    let rung = within(&mut alarm, std::future::pending::<()>()).await;
    assert!(matches!(rung.unwrap_err().kind(), Kind::MaxStreamDuration));
    let limits = Limits {
        stream: None,
        ..limits
    };
    let mut alarm = Alarm::new(&limits, &Upload::Empty, &info(), millis(10));
    let rung = within(&mut alarm, std::future::pending::<()>()).await;
    assert!(matches!(rung.unwrap_err().kind(), Kind::Reply(_)));
}

fn tries(per_try: Option<Duration>, silence: Option<Duration>) -> Option<Alarm> {
    let limits = Limits {
        route: millis(1000),
        per_try,
        per_try_idle: silence,
        stream: None,
        no_content: false,
        tells_grpc: false,
    };
    Alarm::new(&limits, &Upload::Empty, &info(), None)
}

async fn rings(alarm: &mut Option<Alarm>) -> (u128, Kind) {
    let began = Instant::now();
    let rung = within(alarm, std::future::pending::<()>()).await;
    (
        began.elapsed().as_millis(),
        rung.unwrap_err().kind().clone(),
    )
}

async fn looked_at(alarm: &mut Option<Alarm>) {
    let once = std::future::poll_fn(|cx| Poll::Ready(alarm.as_mut().unwrap().poll(cx)));
    assert!(once.await.is_pending());
}

/// A try's limits begin with its connection, end with it, and begin again with the next.
#[tokio::test(start_paused = true)]
async fn each_try_has_its_own_limits() {
    let mut alarm = tries(millis(100), millis(30));
    for _ in 0..2 {
        let connected = alarm.as_mut().unwrap().begin_try().unwrap();
        let connecting = Box::pin(tokio::time::sleep(Duration::from_millis(200)));
        assert!(within(&mut alarm, connecting).await.is_ok());
        connected.store(true, Relaxed);
        let (after, kind) = rings(&mut alarm).await;
        assert!(matches!(kind, Kind::PerTryIdleTimeout), "{kind:?}");
        assert_eq!(after, 30);
        alarm.as_mut().unwrap().end_try();
        let waiting = Box::pin(tokio::time::sleep(Duration::from_millis(150)));
        assert!(within(&mut alarm, waiting).await.is_ok());
    }
    let (after, kind) = rings(&mut alarm).await;
    assert!(matches!(kind, Kind::RequestTimeout), "{kind:?}");
    assert_eq!(after, 1000 - 2 * (200 + 30 + 150));
}

/// An answer that has begun may take longer than its try, but not be silent for too long.
#[tokio::test(start_paused = true)]
async fn silence_counts_to_the_end_of_the_answer() {
    let mut alarm = tries(millis(50), millis(30));
    let connected = alarm.as_mut().unwrap().begin_try().unwrap();
    connected.store(true, Relaxed);
    looked_at(&mut alarm).await;
    alarm.as_mut().unwrap().answered();
    for _ in 0..5 {
        let moving = Box::pin(tokio::time::sleep(Duration::from_millis(25)));
        assert!(within(&mut alarm, moving).await.is_ok());
        alarm.as_mut().unwrap().moved();
    }
    let (after, kind) = rings(&mut alarm).await;
    assert!(matches!(kind, Kind::PerTryIdleTimeout), "{kind:?}");
    assert_eq!(after, 30);
}

/// Without a limit of silence nothing of a try's limits is left once it is answered.
#[tokio::test(start_paused = true)]
async fn an_answer_ends_the_limit_of_its_try() {
    let mut alarm = tries(millis(50), None);
    let connected = alarm.as_mut().unwrap().begin_try().unwrap();
    connected.store(true, Relaxed);
    looked_at(&mut alarm).await;
    alarm.as_mut().unwrap().answered();
    let (after, kind) = rings(&mut alarm).await;
    assert!(matches!(kind, Kind::RequestTimeout), "{kind:?}");
    assert_eq!(after, 1000);
}
