//! HTTP/2 upstreams that misbehave or have limits, played by the h2 crate's own server.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use support::*;
use tandem_core::Body;
use tandem_core::error::{Kind, ResetReason};
use tandem_model::cluster::UpstreamProtocol;
use tandem_model::retry::{RetryOn, RetryPolicy};
use tandem_upstream::RoutePolicy;
use tokio::net::TcpListener;

type Call = (Request<h2::RecvStream>, SendResponse<Bytes>);

/// Hands every stream of every connection to `handle`, with its number.
async fn raw(
    streams: u32,
    handle: impl Fn(usize, Call) -> bool + Clone + Send + 'static,
) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let calls = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            let (handle, calls) = (handle.clone(), Arc::clone(&calls));
            tokio::spawn(async move {
                let mut connection = Builder::new()
                    .max_concurrent_streams(streams)
                    .handshake::<_, Bytes>(stream)
                    .await
                    .unwrap();
                while let Some(Ok(call)) = connection.accept().await {
                    if !handle(calls.fetch_add(1, SeqCst), call) {
                        connection.graceful_shutdown();
                    }
                }
            });
        }
    });
    (addr, connections)
}

fn ok(mut respond: SendResponse<Bytes>) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(b"ok"), true).unwrap();
}

fn config(addr: std::net::SocketAddr) -> tandem_model::Cluster {
    let mut config = cluster(&[addr]);
    config.http.protocol = UpstreamProtocol::Http2;
    config
}

/// A refused stream may be tried again; without a policy it is an error that says so.
#[tokio::test]
async fn refused_streams_are_retriable() {
    let (addr, _) = raw(100, |number, (_request, mut respond)| {
        if number % 2 == 0 {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
        } else {
            ok(respond);
        }
        true
    })
    .await;
    let policy = RoutePolicy {
        retry: Some(Arc::new(RetryPolicy {
            on: RetryOn::REFUSED_STREAM,
            num_retries: 1,
            per_try_timeout: None,
            per_try_idle_timeout: None,
            retriable_status_codes: Vec::new(),
            retriable_headers: Vec::new(),
            retriable_request_headers: Vec::new(),
            back_off_base: Duration::from_millis(1),
            back_off_max: Duration::from_millis(1),
            rate_limited: None,
            reselections: 0,
        })),
        ..RoutePolicy::default()
    };
    let rig = Rig::new(config(addr), policy);
    assert_eq!(text(rig.send(get("/")).await.unwrap()).await, "ok");
    let rig = Rig::new(config(addr), RoutePolicy::default());
    let error = rig.send(get("/")).await.unwrap_err();
    match error.kind() {
        Kind::UpstreamReset(reset) => assert_eq!(reset.reason, ResetReason::RemoteRefused),
        other => panic!("{other:?}"),
    }
}

/// HTTP/2 has no switch of protocols: nobody waits for what follows one.
#[tokio::test]
async fn switching_protocols_is_an_error_at_once() {
    let (addr, _) = raw(100, |_, (_request, mut respond)| {
        let mut switched = Response::new(());
        *switched.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        respond.send_informational(switched).unwrap();
        // The stream stays open as long as this lives.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(respond);
        });
        true
    })
    .await;
    let rig = Rig::new(config(addr), RoutePolicy::default());
    let limit = Duration::from_secs(30);
    let answer = tokio::time::timeout(limit, rig.send(get("/"))).await;
    match answer.unwrap().unwrap_err().kind() {
        Kind::UpstreamReset(reset) => assert_eq!(reset.reason, ResetReason::Protocol),
        other => panic!("{other:?}"),
    }
}

/// After GOAWAY the next request takes a new connection, and nobody notices.
#[tokio::test]
async fn goaway_means_another_connection() {
    let (addr, connections) = raw(100, |_, (_request, respond)| {
        ok(respond);
        false
    })
    .await;
    let rig = Rig::new(config(addr), RoutePolicy::default());
    for _ in 0..3 {
        assert_eq!(text(rig.send(get("/")).await.unwrap()).await, "ok");
        rig.until("upstream_cx_active", 0).await;
    }
    assert_eq!(connections.load(SeqCst), 3);
    assert_eq!(rig.stat("upstream_rq_rx_reset"), 0);
}

/// Streams beyond the limit wait for one to end when no more connections are allowed.
#[tokio::test]
async fn streams_wait_when_a_connection_is_full() {
    let (addr, connections) = raw(100, |_, (_request, respond)| {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ok(respond);
        });
        true
    })
    .await;
    let mut config = config(addr);
    config.http.http2.max_concurrent_streams = 2;
    config.circuit_breakers.max_connections = 1;
    let rig = Rig::new(config, RoutePolicy::default());
    let requests = (0..10).map(|_| async { text(rig.send(get("/")).await.unwrap()).await });
    let all = futures_util::future::join_all(requests);
    let bodies = tokio::time::timeout(Duration::from_secs(30), all)
        .await
        .unwrap();
    assert!(bodies.iter().all(|body| body == "ok"));
    assert_eq!(connections.load(SeqCst), 1);
}

/// Who gave up waiting takes nobody's turn: the place that becomes free goes to who still waits.
#[tokio::test]
async fn who_gave_up_takes_nobodys_turn() {
    let held = Arc::new(tokio::sync::Notify::new());
    let release = Arc::clone(&held);
    let (addr, _) = raw(100, move |_, (request, respond)| {
        let held = Arc::clone(&held);
        tokio::spawn(async move {
            if request.uri().path() == "/held" {
                held.notified().await;
            }
            ok(respond);
        });
        true
    })
    .await;
    let mut config = config(addr);
    config.http.http2.max_concurrent_streams = 1;
    config.circuit_breakers.max_connections = 1;
    let rig = Arc::new(Rig::new(config, RoutePolicy::default()));
    text(rig.send(get("/")).await.unwrap()).await;
    let ask = |path| {
        let rig = Arc::clone(&rig);
        let mut asking = Box::pin(async move { text(rig.send(get(path)).await.unwrap()).await });
        assert!((&mut asking).now_or_never().is_none());
        asking
    };
    let (first, second, third) = (ask("/held"), ask("/"), ask("/"));
    assert_eq!(rig.stat("upstream_rq_pending_active"), 2);
    drop(second);
    release.notify_one();
    assert_eq!(first.await, "ok");
    let third = tokio::time::timeout(Duration::from_secs(30), third).await;
    assert_eq!(third.unwrap(), "ok");
}

/// HPACK's table keeps what it was given as long as the connection lasts: not the buffers that
/// fields and trailers of HTTP/1 requests were read into.
#[tokio::test]
async fn a_connection_keeps_no_buffer_of_its_requests() {
    let (addr, _) = raw(100, |_, (request, respond)| {
        tokio::spawn(async move {
            let head = request.headers().clone();
            let trailers = request.into_body().trailers().await.unwrap().unwrap();
            assert_eq!([&head["x-start"], &trailers["x-end"]], ["read", "read"]);
            ok(respond);
        });
        true
    })
    .await;
    let rig = Rig::new(config(addr), RoutePolicy::default());
    let buffer: Arc<[u8]> = Arc::from(*b"read");
    let value = || HeaderValue::from_maybe_shared(Bytes::from_owner(Arc::clone(&buffer))).unwrap();
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-end"), value())]);
    let body = Body::empty().with_trailers(async move { Some(Ok(trailers)) });
    let mut request = post(Body::new(body));
    request.headers_mut().insert("x-start", value());
    assert_eq!(text(rig.send(request).await.unwrap()).await, "ok");
    assert_eq!(Arc::strong_count(&buffer), 1);
    assert_eq!(rig.stat("upstream_cx_active"), 1);
}

/// A peer that allows few streams gets more connections.
#[tokio::test]
async fn a_peers_limit_opens_more_connections() {
    let (addr, connections) = raw(1, |_, (_request, respond)| {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            ok(respond);
        });
        true
    })
    .await;
    let rig = Rig::new(config(addr), RoutePolicy::default());
    assert_eq!(text(rig.send(get("/")).await.unwrap()).await, "ok");
    let requests = (0..3).map(|_| async { text(rig.send(get("/")).await.unwrap()).await });
    futures_util::future::join_all(requests).await;
    assert!(connections.load(SeqCst) >= 2);
}

/// A reset in the middle of a body is an error, not an end, whatever its reason says.
#[tokio::test]
async fn a_reset_within_a_body_is_an_error() {
    for reason in [
        h2::Reason::INTERNAL_ERROR,
        h2::Reason::NO_ERROR,
        h2::Reason::CANCEL,
    ] {
        for begun in [true, false] {
            let heard = Arc::new(tokio::sync::Notify::new());
            let told = Arc::clone(&heard);
            let (addr, _) = raw(100, move |_, (_request, mut respond)| {
                let heard = Arc::clone(&told);
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                if begun {
                    let half = Bytes::from_static(b"half");
                    stream.send_data(half, false).unwrap();
                }
                tokio::spawn(async move {
                    heard.notified().await;
                    stream.send_reset(reason);
                });
                true
            })
            .await;
            let rig = Rig::new(config(addr), RoutePolicy::default());
            let response = rig.send(get("/")).await.unwrap();
            heard.notify_one();
            let error = response.into_body().collect().await.unwrap_err();
            match error.kind() {
                Kind::UpstreamReset(reset) => assert_eq!(reset.reason, ResetReason::Remote),
                other => panic!("{other:?}"),
            }
            assert_eq!(rig.stat("upstream_rq_rx_reset"), 1);
        }
    }
}

/// Who answers early says all, and then that it wants no more of the request (RFC 9113, 8.1).
#[tokio::test]
async fn a_reset_without_an_error_after_the_end_leaves_the_answer_whole() {
    for at_once in [true, false] {
        let heard = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&heard);
        let (addr, _) = raw(100, move |_, (request, mut respond)| {
            let heard = Arc::clone(&told);
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"no"), true).unwrap();
            tokio::spawn(async move {
                if !at_once {
                    heard.notified().await;
                }
                // The rest of the request is not wanted: dropped, its stream is reset.
                drop((request, stream, respond));
            });
            true
        })
        .await;
        let rig = Rig::new(config(addr), RoutePolicy::default());
        let (send, body) = channel();
        send.send(Bytes::from_static(b"begun")).unwrap();
        let response = rig.send(post(body)).await.unwrap();
        heard.notify_one();
        assert_eq!(text(response).await, "no");
        drop(send);
        assert_eq!(rig.stat("upstream_rq_rx_reset"), 0);
    }
}

/// A large upload obeys the peer's window and arrives whole.
#[tokio::test]
async fn a_large_upload_obeys_flow_control() {
    let (addr, _) = raw(100, |_, (request, mut respond)| {
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut total = 0;
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                total += data.len();
                body.flow_control().release_capacity(data.len()).unwrap();
            }
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream
                .send_data(Bytes::from(total.to_string()), true)
                .unwrap();
        });
        true
    })
    .await;
    let rig = Rig::new(config(addr), RoutePolicy::default());
    let (send, body) = channel();
    tokio::spawn(async move {
        for _ in 0..64 {
            send.send(Bytes::from(vec![7; 50_000])).unwrap();
            tokio::task::yield_now().await;
        }
    });
    let response = rig.send(post(body)).await.unwrap();
    assert_eq!(text(response).await, (64 * 50_000).to_string());
    // The same in one chunk, larger than the window.
    let body = Body::from(Bytes::from(vec![7; 1_000_000]));
    let response = rig.send(post(body)).await.unwrap();
    assert_eq!(text(response).await, "1000000");
}

/// Idle connections end after their time.
#[tokio::test]
async fn idle_connections_end() {
    for is_http2 in [false, true] {
        let (addr, _) = server(is_http2, |_| async { Response::new(Body::empty()) }).await;
        let mut config = config(addr);
        if !is_http2 {
            config.http.protocol = UpstreamProtocol::Http1;
        }
        config.http.idle_timeout = Some(Duration::from_millis(50));
        let rig = Rig::new(config, RoutePolicy::default());
        rig.send(get("/")).await.unwrap();
        assert_eq!(rig.stat("upstream_cx_active"), 1);
        rig.until("upstream_cx_active", 0).await;
        assert_eq!(rig.stat("upstream_cx_idle_timeout"), 1, "http2: {is_http2}");
    }
}
