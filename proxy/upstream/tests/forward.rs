//! The whole way of a request against real servers on free ports.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, StreamBody};
use support::*;
use tandem_core::Body;
use tandem_core::error::{Kind, ResetReason};
use tandem_core::ext::{Protocol, StreamInfo, Tunnel};
use tandem_model::cluster::*;
use tandem_model::retry::{RetryOn, RetryPolicy};
use tandem_upstream::RoutePolicy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn http2(mut cluster: tandem_model::Cluster) -> tandem_model::Cluster {
    cluster.http.protocol = UpstreamProtocol::Http2;
    cluster
}

fn detection() -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: 3,
        enforcing_consecutive_5xx: 100,
        consecutive_gateway_failure: 5,
        enforcing_consecutive_gateway_failure: 0,
        consecutive_local_origin_failure: 5,
        enforcing_consecutive_local_origin_failure: 100,
        split_external_local_origin_errors: false,
        interval: Duration::from_millis(20),
        base_ejection_time: Duration::from_millis(2_500),
        max_ejection_time: Duration::from_secs(300),
        max_ejection_time_jitter: Duration::ZERO,
        max_ejection_percent: 10,
        always_eject_one_host: true,
        success_rate: SuccessRate::default(),
        failure_percentage: FailurePercentage::default(),
    }
}

fn retry(on: &str, num_retries: u32) -> RoutePolicy {
    RoutePolicy {
        retry: Some(Arc::new(RetryPolicy {
            on: RetryOn::parse(on).0,
            num_retries,
            per_try_timeout: None,
            per_try_idle_timeout: None,
            retriable_status_codes: Vec::new(),
            retriable_headers: Vec::new(),
            retriable_request_headers: Vec::new(),
            back_off_base: Duration::from_millis(1),
            back_off_max: Duration::from_millis(2),
            rate_limited: None,
            reselections: 0,
        })),
        ..RoutePolicy::default()
    }
}

/// Sequential requests share one connection, and everything is counted.
#[tokio::test]
async fn http1_connections_are_reused() {
    let (addr, connections) = server(false, |request| async move {
        assert_eq!(request.headers()["host"], "example.org");
        assert_eq!(request.headers()["x-envoy-expected-rq-timeout-ms"], "15000");
        Response::new(Body::from("hello"))
    })
    .await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    for _ in 0..5 {
        let response = rig.send(get("/")).await.unwrap();
        assert!(
            response
                .headers()
                .contains_key("x-envoy-upstream-service-time")
        );
        assert_eq!(text(response).await, "hello");
    }
    assert_eq!(connections.load(SeqCst), 1);
    assert_eq!(rig.stat("upstream_rq_total"), 5);
    assert_eq!(rig.stat("upstream_rq_200"), 5);
    assert_eq!(rig.stat("upstream_cx_http1_total"), 1);
    assert_eq!(rig.stat("upstream_rq_active"), 0);
    assert_eq!(rig.stat("upstream_cx_active"), 1);
    assert!(
        rig.manager
            .admin_text()
            .contains(&format!("c::{addr}::rq_total::5"))
    );
    assert_eq!(
        &*rig.info().upstream.load_full().unwrap().host,
        addr.to_string()
    );
}

/// A connection closed while idle is noticed before it is used; nobody sees an error.
#[tokio::test]
async fn a_closed_idle_connection_is_not_used() {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rig = Rig::new(
        cluster(&[listener.local_addr().unwrap()]),
        RoutePolicy::default(),
    );
    for answer in answers {
        let upstream = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream
        };
        // To its end, so that the connection is kept for the next; only then it is closed.
        let asking = async { text(rig.send(get("/")).await.unwrap()).await };
        let (stream, body) = tokio::join!(upstream, asking);
        assert_eq!(body, "ok");
        drop(stream);
        events_are_heard().await;
    }
    assert_eq!(rig.stat("upstream_rq_retry"), 0);
    assert_eq!(rig.stat("upstream_rq_total"), 3);
    assert_eq!(rig.stat("upstream_cx_http1_total"), 3);
}

/// `connection: close` is obeyed.
#[tokio::test]
async fn connection_close_is_obeyed() {
    let (addr, connections) = server(false, |_| async {
        let mut response = Response::new(Body::from("x"));
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert("connection", close);
        response
    })
    .await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    for _ in 0..3 {
        text(rig.send(get("/")).await.unwrap()).await;
    }
    assert_eq!(connections.load(SeqCst), 3);
}

/// A response without a length ends with its connection; a large one streams.
#[tokio::test]
async fn large_and_unframed_bodies_pass() {
    let (addr, _) = server(false, |request| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(Body::from(body))
    })
    .await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    let payload = Bytes::from(vec![b'a'; 3 << 20]);
    let response = rig.send(post(Body::from(payload.clone()))).await.unwrap();
    assert_eq!(text(response).await.len(), payload.len());
    let addr = scripted(vec![Some("HTTP/1.1 200 OK\r\n\r\nuntil the end")]).await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    assert_eq!(
        text(rig.send(get("/")).await.unwrap()).await,
        "until the end"
    );
}

/// Early responses reach the client while the request still streams.
#[tokio::test]
async fn a_response_may_come_before_the_request_ends() {
    for is_http2 in [false, true] {
        let (addr, _) = server(is_http2, |mut request| async move {
            let stream = async_stream(async move {
                let body = request.body_mut();
                body.frame()
                    .await
                    .and_then(|frame| frame.unwrap().into_data().ok())
            });
            Response::new(stream)
        })
        .await;
        let mut cluster = cluster(&[addr]);
        if is_http2 {
            cluster = http2(cluster);
        }
        let rig = Rig::new(cluster, RoutePolicy::default());
        let (send, body) = channel();
        let response = rig.send(post(body)).await.unwrap();
        send.send(Bytes::from_static(b"ping")).unwrap();
        let frame = response.into_body().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "ping", "http2: {is_http2}");
    }
}

fn async_stream(first: impl Future<Output = Option<Bytes>> + Send + 'static) -> Body {
    let stream = futures_util::stream::once(async move {
        let data = first.await.unwrap_or_default();
        Ok::<_, tandem_core::Error>(http_body::Frame::data(data))
    });
    Body::new(StreamBody::new(stream))
}

/// Many requests share one HTTP/2 connection; the authority moves into the URI.
#[tokio::test]
async fn http2_requests_share_a_connection() {
    let (addr, connections) = server(true, |request| async move {
        assert_eq!(request.uri().authority().unwrap(), "example.org");
        assert!(!request.headers().contains_key("connection"));
        tokio::time::sleep(Duration::from_millis(20)).await;
        Response::new(Body::from("two"))
    })
    .await;
    let rig = Rig::new(http2(cluster(&[addr])), RoutePolicy::default());
    let requests = (0..50).map(|_| async {
        let mut request = get("/");
        let close = HeaderValue::from_static("keep-alive");
        request.headers_mut().insert("connection", close);
        text(rig.send(request).await.unwrap()).await
    });
    for body in futures_util::future::join_all(requests).await {
        assert_eq!(body, "two");
    }
    assert_eq!(connections.load(SeqCst), 1);
    assert_eq!(rig.stat("upstream_cx_http2_total"), 1);
    assert_eq!(rig.stat("upstream_rq_pending_total"), 50);
}

/// Trailers pass both ways over HTTP/2.
#[tokio::test]
async fn trailers_pass_over_http2() {
    let (addr, _) = server(true, |request| async move {
        let collected = request.into_body().collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let body = Body::from(collected.to_bytes());
        Response::new(Body::new(
            body.with_trailers(async move { Some(Ok(trailers)) }),
        ))
    })
    .await;
    let rig = Rig::new(http2(cluster(&[addr])), RoutePolicy::default());
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", HeaderValue::from_static("yes"));
    let body = Body::from("data").with_trailers(async move { Some(Ok(trailers)) });
    let response = rig.send(post(Body::new(body))).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-end"], "yes");
    assert_eq!(collected.to_bytes(), "data");
}

/// With `Downstream` the upstream speaks what the client spoke.
#[tokio::test]
async fn downstream_protocol_is_kept() {
    for (protocol, is_http2, version) in [
        (Protocol::Http11, false, Version::HTTP_11),
        (Protocol::Http2, true, Version::HTTP_2),
    ] {
        let (addr, _) = server(is_http2, move |request| async move {
            assert_eq!(request.version(), version);
            Response::new(Body::empty())
        })
        .await;
        let mut cluster = cluster(&[addr]);
        cluster.http.protocol = UpstreamProtocol::Downstream;
        let mut rig = Rig::new(cluster, RoutePolicy::default());
        rig.protocol = protocol;
        assert_eq!(rig.send(get("/")).await.unwrap().status(), 200);
    }
}

/// Each way to have no answer is the error that says so.
#[tokio::test]
async fn failures_say_what_happened() {
    let rig = Rig::new(cluster(&[]), RoutePolicy::default());
    let kind = |error: tandem_core::Error| format!("{:?}", error.kind());
    assert_eq!(
        kind(rig.send(get("/")).await.unwrap_err()),
        "NoHealthyUpstream"
    );
    let error = rig.send_to("other", get("/")).await.unwrap_err();
    assert_eq!(kind(error), "ClusterNotFound(503)");
    let (_reserved, addr) = refusing();
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    let error = rig.send(get("/")).await.unwrap_err();
    assert_eq!(kind(error), "ConnectFailure(Refused)");
    assert_eq!(rig.stat("upstream_cx_connect_fail"), 1);
    assert_eq!(rig.stat("upstream_cx_active"), 0);
    for (answer, reason) in [
        ("", ResetReason::ConnectionTermination),
        ("HTTP/1.1 200 OK\r\nx: half", ResetReason::Protocol),
        ("garbage\r\n\r\n", ResetReason::Protocol),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
            ResetReason::Protocol,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ResetReason::Protocol,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nx",
            ResetReason::Protocol,
        ),
        (
            "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n",
            ResetReason::Protocol,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            ResetReason::Protocol,
        ),
    ] {
        let addr = scripted(vec![Some(answer)]).await;
        let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
        let error = rig.send(get("/")).await.unwrap_err();
        match error.kind() {
            Kind::UpstreamReset(reset) => assert_eq!(reset.reason, reason, "{answer:?}"),
            other => panic!("{answer:?}: {other:?}"),
        }
        assert_eq!(rig.stat("upstream_rq_active"), 0);
    }
}

/// A body shorter than it said, or badly chunked, is an error and not an end.
#[tokio::test]
async fn broken_bodies_are_errors() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
    ] {
        let addr = scripted(vec![Some(answer)]).await;
        let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
        let response = rig.send(get("/")).await.unwrap();
        let error = response.into_body().collect().await.unwrap_err();
        match error.kind() {
            Kind::UpstreamReset(reset) => assert_eq!(reset.reason, ResetReason::Protocol),
            other => panic!("{answer:?}: {other:?}"),
        }
    }
}

/// The route's timeout ends a request, before and after the response began.
#[tokio::test]
async fn the_route_timeout_ends_a_request() {
    let within = |timeout| RoutePolicy {
        timeout: Some(timeout),
        ..RoutePolicy::default()
    };
    let addr = scripted(vec![None]).await;
    let rig = Rig::new(cluster(&[addr]), within(Duration::from_millis(60)));
    let error = rig.send(get("/")).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::RequestTimeout));
    assert_eq!(rig.stat("upstream_rq_timeout"), 1);
    let (addr, _) = server(false, |_| async {
        Response::new(async_stream(std::future::pending()))
    })
    .await;
    let rig = Rig::new(cluster(&[addr]), within(Duration::from_secs(60)));
    let response = rig.send(get("/")).await.unwrap();
    // Nothing but the time moves from here on.
    tokio::time::pause();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::RequestTimeout));
}

/// A caller may ask for another timeout, and the header goes no further.
#[tokio::test]
async fn a_caller_may_set_the_timeout() {
    let (addr, _) = server(false, |request| async move {
        assert_eq!(request.headers()["x-envoy-expected-rq-timeout-ms"], "40");
        assert!(
            !request
                .headers()
                .contains_key("x-envoy-upstream-rq-timeout-ms")
        );
        tokio::time::sleep(Duration::from_secs(9)).await;
        Response::new(Body::empty())
    })
    .await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    let mut request = get("/");
    let asked = HeaderValue::from_static("40");
    request
        .headers_mut()
        .insert("x-envoy-upstream-rq-timeout-ms", asked);
    let error = rig.send(request).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::RequestTimeout));
}

/// A 503 is tried again, body and all, until it succeeds.
#[tokio::test]
async fn a_503_is_tried_again_with_its_body() {
    for is_http2 in [false, true] {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let (addr, _) = server(is_http2, move |request| {
            let number = counted.fetch_add(1, SeqCst);
            async move {
                let attempt = request.headers()["x-envoy-attempt-count"].clone();
                assert_eq!(attempt, (number + 1).to_string().as_str());
                let body = request.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, "first second");
                let mut response = Response::new(Body::from(body));
                if number < 2 {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                response
            }
        })
        .await;
        let policy = RoutePolicy {
            include_attempt_count: true,
            attempt_count_in_response: true,
            ..retry("5xx", 3)
        };
        let mut config = cluster(&[addr]);
        if is_http2 {
            config = http2(config);
        }
        let rig = Rig::new(config, policy);
        let (send, body) = channel();
        send.send(Bytes::from_static(b"first ")).unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            send.send(Bytes::from_static(b"second")).unwrap();
        });
        let response = rig.send(post(body)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-envoy-attempt-count"], "3");
        assert_eq!(text(response).await, "first second");
        assert_eq!(rig.stat("upstream_rq_retry"), 2);
        assert_eq!(rig.stat("upstream_rq_retry_success"), 1);
    }
}

/// When retries are used up the last answer passes, flagged.
#[tokio::test]
async fn used_up_retries_are_flagged() {
    let (addr, _) = server(false, |_| async {
        let mut response = Response::new(Body::from("down"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    })
    .await;
    let rig = Rig::new(cluster(&[addr]), retry("gateway-error", 2));
    let response = rig.send(get("/")).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(rig.info().flags().to_string(), "URX");
    assert_eq!(rig.stat("upstream_rq_retry_limit_exceeded"), 1);
    assert_eq!(rig.stat("upstream_rq_503"), 1);
    assert_eq!(rig.stat("retry.upstream_rq_503"), 2);
}

/// A body that exceeds the bound is not replayed.
#[tokio::test]
async fn a_large_streamed_body_is_not_replayed() {
    let (addr, _) = server(false, |request| async move {
        let _ = request.into_body().collect().await;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    })
    .await;
    let policy = RoutePolicy {
        buffer_limit: 1000,
        ..retry("5xx", 2)
    };
    let rig = Rig::new(cluster(&[addr]), policy);
    let (send, body) = channel();
    for _ in 0..3 {
        send.send(Bytes::from(vec![0; 500])).unwrap();
    }
    drop(send);
    assert_eq!(rig.send(post(body)).await.unwrap().status(), 503);
    assert_eq!(rig.stat("upstream_rq_total"), 1);
}

/// A try that takes too long is given up for another.
#[tokio::test]
async fn a_slow_try_is_given_up() {
    let ok = Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let addr = scripted(vec![None, ok, ok, ok]).await;
    // More tries than one: a machine that stands still may use one up.
    let mut policy = retry("reset", 3);
    let mut inner = (**policy.retry.as_ref().unwrap()).clone();
    inner.per_try_timeout = Some(Duration::from_secs(2));
    policy.retry = Some(Arc::new(inner));
    let rig = Rig::new(cluster(&[addr]), policy);
    assert_eq!(rig.send(get("/")).await.unwrap().status(), 200);
    let given_up = rig.stat("upstream_rq_per_try_timeout");
    assert!(given_up >= 1);
    assert_eq!(rig.stat("upstream_rq_retry"), given_up);
}

/// A try of which nothing more comes is given up: for another before its answer has begun, and
/// for good in the middle of it.
#[tokio::test]
async fn a_silent_try_is_given_up() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (addr, _) = server(false, move |_| {
        let first = calls.fetch_add(1, SeqCst) == 0;
        async move {
            if first {
                std::future::pending::<()>().await;
            }
            let (send, body) = channel();
            send.send(Bytes::from_static(b"half")).unwrap();
            // The other half never comes.
            std::mem::forget(send);
            Response::new(body)
        }
    })
    .await;
    // More tries than one: a machine that stands still may use one up.
    let mut policy = retry("reset", 3);
    let mut inner = (**policy.retry.as_ref().unwrap()).clone();
    inner.per_try_idle_timeout = Some(Duration::from_secs(2));
    policy.retry = Some(Arc::new(inner));
    let rig = Rig::new(cluster(&[addr]), policy);
    let response = rig.send(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    let given_up = rig.stat("upstream_rq_per_try_idle_timeout");
    assert!(given_up >= 1);
    assert_eq!(rig.stat("upstream_rq_retry"), given_up);
    // Nothing but the time moves from here on.
    tokio::time::pause();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::PerTryIdleTimeout), "{error}");
    assert_eq!(rig.stat("upstream_rq_per_try_idle_timeout"), given_up + 1);
}

/// Beyond `max_connections` requests wait for a connection, in order; beyond that they fail.
#[tokio::test]
async fn requests_wait_for_a_connection() {
    let (addr, connections) = server(false, |_| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Response::new(Body::from("x"))
    })
    .await;
    let mut config = cluster(&[addr]);
    config.circuit_breakers.max_connections = 1;
    config.circuit_breakers.max_pending_requests = 2;
    let rig = Rig::new(config, RoutePolicy::default());
    text(rig.send(get("/warm")).await.unwrap()).await;
    let requests = (0..4).map(|_| async {
        match rig.send(get("/")).await {
            Ok(response) => text(response).await,
            Err(error) => format!("{:?}", error.kind()),
        }
    });
    let results = futures_util::future::join_all(requests).await;
    assert_eq!(results, ["x", "x", "x", "Overflow"]);
    assert_eq!(connections.load(SeqCst), 1);
    assert_eq!(rig.stat("upstream_rq_pending_overflow"), 1);
    assert_eq!(rig.stat("upstream_cx_overflow"), 2);
}

/// A host that fails in a row is ejected, and comes back.
#[tokio::test]
async fn a_failing_host_is_ejected_and_comes_back() {
    let (bad, _) = server(false, |_| async {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
    .await;
    let (good, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let mut config = cluster(&[bad, good]);
    config.outlier_detection = Some(detection());
    let rig = Rig::new(config, RoutePolicy::default());
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(rig.send(get("/")).await.unwrap().status().as_u16());
    }
    assert_eq!(
        statuses.iter().filter(|s| **s == 500).count(),
        3,
        "{statuses:?}"
    );
    assert_eq!(rig.stat("outlier_detection.ejections_active"), 1);
    assert_eq!(
        rig.stat("outlier_detection.ejections_enforced_consecutive_5xx"),
        1
    );
    assert_eq!(rig.stat("membership_healthy"), 1);
    assert!(rig.manager.admin_text().contains("/failed_outlier_check"));
    rig.until("membership_healthy", 2).await;
    assert_eq!(rig.stat("outlier_detection.ejections_active"), 0);
}

/// Of one host none may be ejected, unless one always may; in panic an ejected one is asked on,
/// and nothing new is found out.
#[tokio::test]
async fn the_only_host_is_ejected_if_one_always_may_be() {
    for (always, detected) in [(false, 3), (true, 1)] {
        let (bad, _) = server(false, |_| async {
            let failing = Response::builder().status(500);
            failing.body(Body::empty()).unwrap()
        })
        .await;
        let mut config = cluster(&[bad]);
        config.outlier_detection = Some(OutlierDetection {
            base_ejection_time: Duration::from_secs(60),
            always_eject_one_host: always,
            ..detection()
        });
        let rig = Rig::new(config, RoutePolicy::default());
        for _ in 0..9 {
            assert_eq!(rig.send(get("/")).await.unwrap().status(), 500);
        }
        let stat = |name: &str| rig.stat(&format!("outlier_detection.ejections_{name}"));
        assert_eq!(stat("active"), i64::from(always));
        assert_eq!(stat("overflow"), if always { 0 } else { 3 });
        assert_eq!(stat("detected_consecutive_5xx"), detected);
    }
}

/// A dropped response closes an HTTP/1 connection and resets an HTTP/2 stream.
#[tokio::test]
async fn cancelling_releases_everything() {
    for is_http2 in [false, true] {
        let (addr, connections) = server(is_http2, |_| async {
            Response::new(async_stream(std::future::pending()))
        })
        .await;
        let mut config = cluster(&[addr]);
        if is_http2 {
            config = http2(config);
        }
        let rig = Rig::new(config, RoutePolicy::default());
        for _ in 0..2 {
            drop(rig.send(get("/")).await.unwrap());
            assert_eq!(rig.stat("upstream_rq_active"), 0);
        }
        // Only streams are reset; a connection that is closed is counted as such.
        let resets = if is_http2 { 2 } else { 0 };
        assert_eq!(rig.stat("upstream_rq_tx_reset"), resets);
        assert_eq!(connections.load(SeqCst), if is_http2 { 1 } else { 2 });
    }
}

/// A changed cluster list keeps what did not change.
#[tokio::test]
async fn an_update_keeps_unchanged_clusters() {
    let (addr, connections) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    rig.send(get("/")).await.unwrap();
    let mut other = cluster(&[addr]);
    other.name = "other".into();
    other.stat_name = "other".into();
    rig.manager
        .update(&[Arc::new(other), Arc::new(cluster(&[addr]))]);
    rig.send(get("/")).await.unwrap();
    assert_eq!(connections.load(SeqCst), 1);
    rig.send_to("other", get("/")).await.unwrap();
    assert_eq!(connections.load(SeqCst), 2);
    // Another endpoint beside it: what was there stays.
    let (second, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    rig.manager.update(&[Arc::new(cluster(&[addr, second]))]);
    for _ in 0..4 {
        rig.send(get("/")).await.unwrap();
    }
    assert_eq!(connections.load(SeqCst), 2);
    assert_eq!(rig.stat("membership_total"), 2);
    rig.manager.update(&[]);
    assert!(rig.send(get("/")).await.is_err());
}

/// Names resolve, `localhost` without asking anybody.
#[tokio::test]
async fn names_are_resolved() {
    let (addr, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let mut config = cluster(&[addr]);
    config.discovery = Discovery::StrictDns(Dns::default());
    config.load_assignment.localities[0].endpoints[0].address = tandem_model::Address::Name {
        host: "localhost".into(),
        port: addr.port(),
    };
    let rig = Rig::new(config, RoutePolicy::default());
    rig.manager.warmed().await;
    assert_eq!(rig.send(get("/")).await.unwrap().status(), 200);
}

/// A connection that served as many requests as it may is followed by a new one.
#[tokio::test]
async fn a_connection_serves_so_many_requests() {
    for http2 in [false, true] {
        let (addr, connections) = server(http2, |_| async { Response::new(Body::empty()) }).await;
        let mut config = cluster(&[addr]);
        config.http.max_requests_per_connection = 2;
        if http2 {
            config.http.protocol = UpstreamProtocol::Http2;
        }
        let rig = Rig::new(config, RoutePolicy::default());
        for expected in [1, 1, 2, 2, 3] {
            text(rig.send(get("/")).await.unwrap()).await;
            assert_eq!(connections.load(SeqCst), expected, "http2: {http2}");
        }
        assert_eq!(rig.stat("upstream_cx_max_requests"), 2);
    }
}

/// The connections of an ejected host serve no other request: those that come to it all the same,
/// or when it is back, take new ones.
#[tokio::test]
async fn an_ejected_host_gets_new_connections() {
    for http2 in [false, true] {
        let (addr, connections) = server(http2, |_| async {
            let failing = Response::builder().status(503);
            failing.body(Body::empty()).unwrap()
        })
        .await;
        let mut config = cluster(&[addr]);
        if http2 {
            config.http.protocol = UpstreamProtocol::Http2;
        }
        config.outlier_detection = Some(OutlierDetection {
            consecutive_5xx: 2,
            ..detection()
        });
        let rig = Rig::new(config, RoutePolicy::default());
        for expected in [1, 1, 2, 2] {
            text(rig.send(get("/")).await.unwrap()).await;
            assert_eq!(connections.load(SeqCst), expected);
        }
    }
}

/// Raw connections are counted while they live.
#[tokio::test]
async fn tcp_connections_are_counted() {
    let (addr, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    let clusters = rig.manager.worker();
    let info = StreamInfo::new(Arc::default(), Protocol::Tcp, 1);
    let upstream = clusters.connect_tcp("c", &info).await.unwrap();
    let facts = info.upstream.load_full().unwrap();
    assert_eq!(&*facts.host, addr.to_string());
    assert_eq!(rig.stat("upstream_cx_active"), 1);
    drop(upstream);
    assert_eq!(rig.stat("upstream_cx_active"), 0);
    assert!(clusters.connect_tcp("none", &info).await.is_err());
    assert!(clusters.contains("c") && !clusters.contains("none"));
}

/// A 101 leaves what is needed to talk on.
#[tokio::test]
async fn an_upgrade_is_left_to_the_caller() {
    let addr = scripted(vec![Some(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhi",
    )])
    .await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    let mut request = get("/");
    for (name, value) in [("upgrade", "websocket"), ("connection", "upgrade")] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let mut response = rig.send(request).await.unwrap();
    assert_eq!(response.status(), 101);
    let tunnel = response.extensions_mut().remove::<Tunnel>().unwrap();
    let mut io = tunnel.take().unwrap();
    let mut bytes = [0; 2];
    tokio::io::AsyncReadExt::read_exact(&mut io, &mut bytes)
        .await
        .unwrap();
    assert_eq!(&bytes, b"hi");
    let counted = || {
        [
            rig.stat("upstream_rq_active"),
            rig.stat("upstream_cx_active"),
        ]
    };
    assert_eq!(counted(), [1, 1]);
    drop(io);
    assert_eq!(counted(), [0, 0]);
}
