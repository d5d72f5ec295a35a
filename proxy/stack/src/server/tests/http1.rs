use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use tandem_core::{HttpService, Request};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::support::{Seen, connection, count, echo, serve, serve_with, settle};

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[tokio::test(start_paused = true)]
async fn requests_follow_each_other_on_a_connection() {
    let mut served = serve(|_| {});
    for _ in 0..3 {
        served.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let got = served.until("\r\n\r\n").await;
        assert_eq!(got, format!("{OK}content-length: 0\r\n\r\n"));
    }
    served
        .send("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    assert_eq!(
        served.until("abc").await,
        format!("{OK}content-length: 3\r\n\r\nabc")
    );
    assert_eq!(served.seen().last().unwrap(), "POST /x [abc] 0");
    drop(served.client);
    served.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order_and_the_bad_one_last() {
    let mut served = serve(|_| {});
    served
        .send(
            "POST /1 HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1\r\n\
             POST /2 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n\
             GET /3 HTTP/1.1\r\nhost: a\r\nfoo\r\n\r\nGET /4 HTTP/1.1\r\nhost: a\r\n\r\n",
        )
        .await;
    let got = served.rest().await;
    assert!(got.starts_with(&format!("{OK}content-length: 1\r\n\r\n1{OK}")));
    assert!(got.contains("HTTP/1.1 400 Bad Request\r\n"), "{got}");
    assert!(got.contains("connection: close\r\n") && got.ends_with("Bad Request"));
    assert_eq!(
        served.seen(),
        [
            "POST /1 [1] 0",
            "POST /2 [2] 0",
            "rejected http1.codec_error"
        ]
    );
    assert_eq!(served.stat("http.h.downstream_cx_protocol_error"), "1");
}

#[tokio::test(start_paused = true)]
async fn broken_chunks_never_complete_a_request() {
    let mut served = serve(|_| {});
    served
        .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    settle().await;
    served
        .send("zz\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let got = served.rest().await;
    assert!(got.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{got}");
    assert_eq!(got.matches("HTTP/1.1").count(), 1);
    assert_eq!(served.seen(), ["POST / failed"]);
}

#[tokio::test(start_paused = true)]
async fn well_formed_but_unacceptable_requests_are_marked() {
    for (request, details) in [
        ("GET / HTTP/1.1\r\n\r\n", "missing_host_header"),
        (
            "GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n",
            "path_normalization_failed",
        ),
        (
            "CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\nearly",
            "route_not_found",
        ),
        ("\x16\x03\x01garbage", "http1.codec_error"),
    ] {
        let mut served = serve(|_| {});
        served.send(request).await;
        let got = served.rest().await;
        assert!(got.contains("connection: close\r\n"), "{got}");
        assert_eq!(served.seen(), [format!("rejected {details}")]);
    }
}

/// Who sends empty lines is not idle, but its request comes too slowly.
#[tokio::test(start_paused = true)]
async fn empty_lines_do_not_put_the_limits_off() {
    for before in ["", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut served = serve(|manager| {
            manager.request_headers_timeout = Some(Duration::from_secs(3));
            manager.idle_timeout = Some(Duration::from_secs(6));
        });
        served.send(before).await;
        if !before.is_empty() {
            served.until("\r\n\r\n").await;
        }
        let start = Instant::now();
        for _ in 0..5 {
            served.send("\r\n").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let got = served.rest().await;
        assert!(got.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{got}");
        assert_eq!(start.elapsed().as_secs(), 3);
        assert_eq!(served.stat("http.h.downstream_rq_header_timeout"), "1");
    }
}

/// The stream begins with the request's first byte: a head that never ends has its limits too.
#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_within_the_streams_limits() {
    let limit = Some(Duration::from_secs(7));
    for (change, details) in [
        (
            (|manager, limit| manager.stream_idle_timeout = limit)
                as fn(&mut tandem_model::HttpConnectionManager, Option<Duration>),
            "stream_idle_timeout",
        ),
        (
            |manager, limit| manager.request_timeout = limit,
            "request_overall_timeout",
        ),
        (
            |manager, limit| manager.max_stream_duration = limit,
            "max_duration_timeout",
        ),
    ] {
        let mut served = serve(|manager| change(manager, limit));
        let start = Instant::now();
        for part in ["G", "ET / HTTP/1.1\r\n", "host: a\r\n"] {
            served.send(part).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let got = served.rest().await;
        assert!(got.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{got}");
        assert_eq!(start.elapsed().as_secs(), 7);
        assert_eq!(served.seen(), [format!("rejected {details}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn large_bodies_stream_through() {
    let served = serve(|_| {});
    let (mut reader, mut writer) = tokio::io::split(served.client);
    let body = vec![b'x'; 3_000_000];
    let expected = body.len();
    tokio::spawn(async move {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {expected}\r\n\r\n");
        writer.write_all(head.as_bytes()).await.unwrap();
        writer.write_all(&body).await.unwrap();
        writer
            .write_all(b"GET /next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        std::future::pending::<()>().await;
    });
    let mut got = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut got)
        .await
        .unwrap();
    assert!(got.len() > expected);
    let seen = std::mem::take(&mut *served.seen.lock().unwrap());
    assert_eq!(seen, ["POST / [3000000] 0", "GET /next [] 0"]);
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_ends_the_connection_whose_request_is_incomplete() {
    let mut served = serve(|_| {});
    served
        .send("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 20\r\n\r\nab")
        .await;
    let got = served.rest().await;
    assert!(
        got.contains("connection: close\r\n") && got.ends_with("early"),
        "{got}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_to_send_is_told_to() {
    let mut served = serve(|_| {});
    served
        .send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        .await;
    let got = served.until("\r\n\r\n").await;
    assert_eq!(got, "HTTP/1.1 100 Continue\r\n\r\n");
    served.send("ab").await;
    assert!(served.until("ab").await.starts_with(OK));
}

#[tokio::test(start_paused = true)]
async fn streams_without_length_are_chunked_and_broken_ones_not_completed() {
    let mut served = serve(|_| {});
    served.send("GET /drip HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let got = served.until("0\r\n\r\n").await;
    assert_eq!(
        got,
        format!("{OK}transfer-encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n\r\n")
    );
    served.send("GET /broken HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let got = served.rest().await;
    assert!(got.ends_with("4\r\npart\r\n"), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn trailers_pass_only_when_enabled() {
    let request =
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n";
    for (enabled, seen, end) in [
        (false, "POST / [] 0", "4\r\npart\r\n0\r\n\r\n"),
        (true, "POST / [] 1", "4\r\npart\r\n0\r\nx-end: yes\r\n\r\n"),
    ] {
        let mut served = serve(|manager| manager.enable_trailers = enabled);
        served.send(request).await;
        served.until("\r\n\r\n").await;
        assert_eq!(served.seen(), [seen]);
        served
            .send("GET /trailers HTTP/1.1\r\nhost: a\r\n\r\n")
            .await;
        served.until("chunked\r\n\r\n").await;
        assert_eq!(served.until("\r\n\r\n").await, end);
    }
}

#[tokio::test(start_paused = true)]
async fn heads_that_come_too_slowly_are_answered_408_and_idleness_ends_silently() {
    let mut served = serve(|manager| {
        manager.request_headers_timeout = Some(Duration::from_secs(10));
        manager.idle_timeout = Some(Duration::from_secs(60));
    });
    let start = Instant::now();
    served.send("GET / HT").await;
    let got = served.rest().await;
    assert!(got.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{got}");
    assert!(got.ends_with("request header timeout"));
    assert_eq!(start.elapsed().as_secs(), 10);

    let mut served = serve(|manager| manager.idle_timeout = Some(Duration::from_secs(60)));
    served.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    served.until("\r\n\r\n").await;
    let start = Instant::now();
    assert_eq!(served.rest().await, "");
    assert_eq!(start.elapsed().as_secs(), 60 + 5);
    assert_eq!(served.stat("http.h.downstream_cx_idle_timeout"), "1");
}

#[tokio::test(start_paused = true)]
async fn draining_ends_idle_connections_and_answers_the_busy_with_close() {
    let mut idle = serve(|_| {});
    settle().await;
    idle.draining.start();
    assert_eq!(idle.rest().await, "");

    let mut busy = serve(|_| {});
    busy.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n")
        .await;
    settle().await;
    busy.draining.start();
    busy.send("x").await;
    let got = busy.rest().await;
    assert!(
        got.contains("connection: close\r\n") && got.ends_with('x'),
        "{got}"
    );
}

#[tokio::test(start_paused = true)]
async fn limits_on_requests_and_life_close_after_a_response() {
    let mut served = serve(|manager| manager.max_requests_per_connection = 2);
    served
        .send("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(3))
        .await;
    let got = served.rest().await;
    assert_eq!(got.matches(OK).count(), 2);
    assert_eq!(got.matches("connection: close").count(), 1);

    let mut served = serve(|m| m.max_connection_duration = Some(Duration::from_secs(5)));
    let start = Instant::now();
    assert_eq!(served.rest().await, "");
    assert_eq!(start.elapsed().as_secs(), 5);
}

/// What is asked at the moment when the connection should end is answered.
#[tokio::test(start_paused = true)]
async fn who_should_leave_may_ask_once_more() {
    let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    for (idle, stat) in [(true, "idle_timeout"), (false, "max_duration_reached")] {
        let mut served = serve(|manager| {
            let limit = Some(Duration::from_secs(9));
            match idle {
                true => manager.idle_timeout = limit,
                false => manager.max_connection_duration = limit,
            }
        });
        served.send(get).await;
        served.until("\r\n\r\n").await;
        tokio::time::sleep(Duration::from_secs(13)).await;
        // However slowly it comes.
        served.send(&get[..9]).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        served.send(&get[9..]).await;
        let got = served.rest().await;
        assert!(
            got.starts_with(OK) && got.contains("connection: close"),
            "{got}"
        );
        assert_eq!(served.stat(&format!("http.h.downstream_cx_{stat}")), "1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_can_end_the_connection() {
    let mut served = serve(|_| {});
    served.send("GET /close HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let got = served.rest().await;
    assert!(
        got.contains("connection: close\r\n") && got.ends_with("bye"),
        "{got}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_given_up() {
    let mut served = serve(|manager| manager.stream_idle_timeout = Some(Duration::from_secs(20)));
    let body = "x".repeat(300_000);
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 300000\r\n\r\n";
    served.send(format!("{head}{body}")).await;
    let start = Instant::now();
    (&mut served.task).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_cancels_its_request() {
    struct Guard(Arc<AtomicU64>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let dropped = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&dropped);
    let inner = echo(Seen::default());
    let service = HttpService::new(tower::service_fn(move |request: Request| {
        let guard = Guard(Arc::clone(&counter));
        let inner = inner.clone();
        async move {
            let _guard = guard;
            inner.dispatch(request).await
        }
    }));
    let mut served = serve_with(Seen::default(), service, |_| {});
    served.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    settle().await;
    assert_eq!(count(&dropped), 0);
    drop(served.client);
    served.task.await.unwrap();
    assert_eq!(count(&dropped), 1);
}

/// Where the network cuts the bytes changes neither what the service sees nor the answers.
#[tokio::test(start_paused = true)]
async fn cuts_do_not_change_the_outcome() {
    let streams = [
        "GET /a HTTP/1.1\r\nhost: a\r\n\r\nPOST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello\
         POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: u\r\n\r\n\
         GET /d HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhelloX / HTTP/1.1\r\nhost: a\r\n\r\n",
        "\r\n\r\nGET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\nx: y\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    let mut rng = rand::rngs::SmallRng::seed_from_u64(11);
    for stream in streams {
        let mut expected = None;
        for round in 0..40 {
            let mut cuts: Vec<usize> = (0..round)
                .map(|_| rng.random_range(0..stream.len()))
                .collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut served = serve(|_| {});
            for pair in cuts.windows(2) {
                if served
                    .client
                    .write_all(&stream.as_bytes()[pair[0]..pair[1]])
                    .await
                    .is_err()
                {
                    break;
                }
                settle().await;
            }
            let got = served.rest().await;
            let outcome = (served.seen(), got);
            assert_eq!(
                expected.get_or_insert_with(|| outcome.clone()),
                &outcome,
                "{cuts:?}"
            );
        }
    }
}

#[test]
fn a_connections_future_is_small() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let size = runtime.block_on(async {
        let served = serve(|_| {});
        let (_, io) = tokio::io::duplex(1);
        size_of_val(&Arc::clone(&served.server).serve(io, connection()))
    });
    assert!(size <= 3072, "{size}");
}
