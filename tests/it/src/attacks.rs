//! Abuse: what must be refused, reach no upstream, leave others alone and cost no memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tandem_harness::client::frames::{self, END_HEADERS, END_STREAM, Raw, frame, kind};
use tandem_harness::client::{Request, h1, h2c};
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};

use crate::oracle::{bootstrap, listener};

/// Header fields of one request.
type Fields<'a> = Vec<(&'a str, &'a [u8])>;

/// What comes beside an answer is there by then.
const QUIET: Duration = Duration::from_millis(300);

struct Victim {
    proxy: Proxy,
    port: u16,
    upstream: Upstream,
}

async fn start() -> Victim {
    let upstream = Upstream::start(&["up", "up2"]).await;
    let named = BTreeMap::from([
        ("main", ports::free()),
        ("admin", ports::free()),
        ("dead", ports::free()),
        ("up", upstream.ports()[0]),
        ("up2", upstream.ports()[1]),
    ]);
    let config = bootstrap().listener(
        listener("main")
            .hcm("request_headers_timeout: 1s")
            .route_list("- {match: {prefix: /}, route: {cluster: up}}"),
    );
    let text = config.render(&named, std::path::Path::new("/dev/null"));
    let proxy = Proxy::start(Kind::Tandem, &text, named["admin"])
        .await
        .unwrap();
    Victim {
        proxy,
        port: named["main"],
        upstream,
    }
}

impl Victim {
    /// Sends a header block as a request; says which frames came back and whether it was closed.
    async fn request(&self, block: &[u8], body: Option<&[u8]>) -> (Vec<frames::Frame>, bool) {
        let mut raw = Raw::open(self.port).await.unwrap();
        let flags = END_HEADERS | if body.is_none() { END_STREAM } else { 0 };
        let _ = raw.send(&frame(kind::HEADERS, flags, 1, block)).await;
        if let Some(body) = body {
            let _ = raw.send(&frame(kind::DATA, END_STREAM, 1, body)).await;
        }
        let mut came = Vec::new();
        while let Some(frame) = raw.next(wait::PATIENCE).await {
            came.push(frame);
            if came.last().is_some_and(is_answer) {
                break;
            }
        }
        let (rest, closed) = raw.rest(QUIET).await;
        came.extend(rest);
        (came, closed)
    }

    async fn still_serves(&self) {
        let mut other = h2c::Connection::open(self.port).await.unwrap();
        let request = Request {
            method: "GET".into(),
            path: "/".into(),
            authority: "any.test".into(),
            ..Request::default()
        };
        let answer = tokio::time::timeout(wait::PATIENCE, other.exchange(&request)).await;
        assert!(
            answer.is_ok_and(|answer| answer.status == 200),
            "another connection is disturbed"
        );
        self.upstream.log().take().await;
    }

    fn resident(&self) -> u64 {
        self.proxy.process.resident_kib()
    }
}

/// Whether a frame says what becomes of a request.
fn is_answer(frame: &frames::Frame) -> bool {
    matches!(frame.kind, kind::RST_STREAM | kind::GOAWAY | kind::HEADERS)
}

/// Whether the peer says goodbye, or closes the connection.
async fn ends(raw: &mut Raw) -> bool {
    while let Some(frame) = raw.next(wait::PATIENCE).await {
        if frame.kind == kind::GOAWAY {
            return true;
        }
    }
    // It is closed, or nothing comes any more.
    raw.rest(QUIET).await.1
}

/// RFC 9113, 8.1.1 and 8.2: malformed requests are stream errors, or connection errors.
#[tokio::test]
async fn malformed_http2_requests_reach_no_upstream() {
    let victim = start().await;
    let good: &[(&str, &[u8])] = &[
        (":method", b"GET"),
        (":scheme", b"http"),
        (":path", b"/"),
        (":authority", b"any.test"),
    ];
    let with = |more: &[(&'static str, &'static [u8])]| [good, more].concat();
    let cases: Vec<(&str, Fields<'_>)> = vec![
        ("an unknown pseudo-header", with(&[(":unknown", b"1")])),
        ("a pseudo-header of responses", with(&[(":status", b"200")])),
        ("a pseudo-header twice", with(&[(":path", b"/other")])),
        (
            "a pseudo-header after a field",
            [&[("x-a", b"1" as &[u8])], good].concat(),
        ),
        ("no method", good[1..].to_vec()),
        ("no path", vec![good[0], good[1], good[3]]),
        ("no scheme", vec![good[0], good[2], good[3]]),
        (
            "an empty path",
            vec![good[0], good[1], (":path", b""), good[3]],
        ),
        ("CR in a value", with(&[("x-a", b"1\r2")])),
        ("LF in a value", with(&[("x-a", b"1\n2")])),
        (
            "CRLF and a header in a value",
            with(&[("x-a", b"1\r\nx-b: 2")]),
        ),
        ("NUL in a value", with(&[("x-a", b"1\x002")])),
        (
            "CRLF in the path",
            vec![good[0], good[1], (":path", b"/ HTTP/1.1\r\nx: y"), good[3]],
        ),
        (
            "a space in the path",
            vec![good[0], good[1], (":path", b"/a b"), good[3]],
        ),
        (
            "CRLF in the authority",
            vec![good[0], good[1], good[2], (":authority", b"a\r\nb")],
        ),
        (
            "CRLF in the method",
            vec![
                (":method", b"GET / HTTP/1.1\r\nx: y"),
                good[1],
                good[2],
                good[3],
            ],
        ),
        ("capitals in a name", with(&[("X-A", b"1")])),
        ("a space in a name", with(&[("x a", b"1")])),
        ("a colon in a name", with(&[("x:a", b"1")])),
        ("an empty name", with(&[("", b"1")])),
        ("CRLF in a name", with(&[("x\r\na", b"1")])),
        ("two hosts", with(&[("host", b"a"), ("host", b"b")])),
        (
            "two hosts and no authority",
            [
                &good[..3],
                &[("host", b"a" as &[u8]), ("host", b"b" as &[u8])],
            ]
            .concat(),
        ),
        (
            "user information in the authority",
            vec![good[0], good[1], good[2], (":authority", b"me@any.test")],
        ),
        ("connection", with(&[("connection", b"close")])),
        ("keep-alive", with(&[("keep-alive", b"1")])),
        ("proxy-connection", with(&[("proxy-connection", b"close")])),
        (
            "transfer-encoding",
            with(&[("transfer-encoding", b"chunked")]),
        ),
        ("upgrade", with(&[("upgrade", b"h2c")])),
        ("te that is not trailers", with(&[("te", b"gzip")])),
        (
            "a content-length that is none",
            with(&[("content-length", b"x")]),
        ),
        (
            "two content-lengths",
            with(&[("content-length", b"1"), ("content-length", b"2")]),
        ),
    ];
    for (name, fields) in cases {
        let (answer, closed) = victim.request(&frames::block(&fields), None).await;
        let refused = closed || answer.iter().any(is_answer);
        assert!(refused, "{name}: neither refused nor closed: {answer:?}");
        let seen = victim.upstream.log().take().await;
        assert!(seen.is_empty(), "{name}: reached the upstream: {seen:?}");
    }
    victim.still_serves().await;
}

/// A body that is longer or shorter than its content-length must not complete a request upstream.
#[tokio::test]
async fn a_wrong_content_length_never_completes_upstream() {
    let victim = start().await;
    for (length, body) in [("5", "abc"), ("1", "abc"), ("0", "abc")] {
        let block = frames::request("POST", "/", &[("content-length", length.as_bytes())]);
        let (answer, closed) = victim.request(&block, Some(body.as_bytes())).await;
        assert!(
            closed
                || answer
                    .iter()
                    .any(|f| f.kind == kind::RST_STREAM || f.kind == kind::HEADERS),
            "{length}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        let seen = victim.upstream.log().take().await;
        // With a length of nought the head alone is a whole request; nothing may follow it.
        let whole = seen.iter().any(|seen| {
            seen.end == tandem_harness::upstream::End::Complete
                && (length != "0" || !seen.body.is_empty())
        });
        assert!(!whole, "{length}: {seen:?}");
    }
    victim.still_serves().await;
}

/// CVE-2023-44487: requests that are reset at once.
#[tokio::test]
async fn rapid_reset_ends_the_connection() {
    let victim = start().await;
    let before = victim.resident();
    let mut raw = Raw::open(victim.port).await.unwrap();
    let block = frames::request("GET", "/", &[]);
    let mut refused = false;
    for round in 0..200_u32 {
        let mut bytes = Vec::new();
        for number in 0..100 {
            let stream = (round * 100 + number) * 2 + 1;
            bytes.extend(frame(
                kind::HEADERS,
                END_HEADERS | END_STREAM,
                stream,
                &block,
            ));
            bytes.extend(frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        if raw.send(&bytes).await.is_err() {
            refused = true;
            break;
        }
    }
    assert!(
        refused || ends(&mut raw).await,
        "20,000 resets were taken without a word"
    );
    victim.still_serves().await;
    assert!(
        victim.resident() < before + 30_000,
        "{before} -> {} KiB",
        victim.resident()
    );
}

/// CVE-2024-27316: a header block that never ends.
#[tokio::test]
async fn a_continuation_flood_ends_the_connection() {
    let victim = start().await;
    let before = victim.resident();
    let mut raw = Raw::open(victim.port).await.unwrap();
    let _ = raw
        .send(&frame(
            kind::HEADERS,
            END_STREAM,
            1,
            &frames::request("GET", "/", &[]),
        ))
        .await;
    let more = frames::block(&[("x-more", &[b'v'; 4000])]);
    let mut refused = false;
    for _ in 0..20_000 {
        if raw
            .send(&frame(kind::CONTINUATION, 0, 1, &more))
            .await
            .is_err()
        {
            refused = true;
            break;
        }
    }
    assert!(refused, "80 MB of headers were taken");
    victim.still_serves().await;
    assert!(
        victim.resident() < before + 30_000,
        "{before} -> {} KiB",
        victim.resident()
    );
}

/// CVE-2019-9515 and -9512: answers to SETTINGS and PING must not pile up.
#[tokio::test]
async fn floods_of_settings_and_pings_cost_no_memory() {
    let victim = start().await;
    for flood in [frames::settings(&[]), frame(kind::PING, 0, 0, &[0; 8])] {
        let before = victim.resident();
        let mut raw = Raw::open(victim.port).await.unwrap();
        let bytes = flood.repeat(1000);
        for _ in 0..500 {
            // Nothing is read: the answers have nowhere to go. Not being read on is fine too.
            let sent = tokio::time::timeout(QUIET, raw.send(&bytes)).await;
            if !matches!(sent, Ok(Ok(()))) {
                break;
            }
        }
        victim.still_serves().await;
        assert!(
            victim.resident() < before + 30_000,
            "{before} -> {} KiB",
            victim.resident()
        );
    }
}

/// CVE-2019-9511 to -9518: frames that cost their sender nothing. Envoy closes the connection too.
#[tokio::test]
async fn floods_of_frames_that_cost_nothing_end_the_connection() {
    let victim = start().await;
    let open = frame(
        kind::HEADERS,
        END_HEADERS,
        1,
        &frames::request("POST", "/", &[]),
    );
    for (name, flood) in [
        ("settings", frames::settings(&[])),
        ("pings", frame(kind::PING, 0, 0, &[0; 8])),
        ("priorities", frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("windows", frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("empty data", frame(kind::DATA, 0, 1, &[])),
        (
            "padding",
            frame(kind::DATA, 8, 1, &[7, 0, 0, 0, 0, 0, 0, 0]),
        ),
    ] {
        let mut raw = Raw::open(victim.port).await.unwrap();
        raw.send(&open).await.unwrap();
        let bytes = flood.repeat(10_000);
        let _ = tokio::time::timeout(wait::PATIENCE, raw.send(&bytes)).await;
        let (_, closed) = raw.rest(wait::PATIENCE).await;
        assert!(closed, "{name}: the connection is kept");
    }
    victim.still_serves().await;
}

/// What a peer sends must not be able to fill the disk: libraries warn of each such frame.
#[tokio::test]
async fn answers_to_pings_that_were_not_sent_are_not_logged() {
    let victim = start().await;
    // What the process says of its start may still be on its way.
    let news = || {
        let output = victim.proxy.process.output();
        let lines = output.lines().filter(|line| !line.contains(" tandem::"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = news();
    let mut raw = Raw::open(victim.port).await.unwrap();
    let bytes = frame(kind::PING, END_STREAM, 0, &[7; 8]).repeat(1000);
    for _ in 0..20 {
        let _ = tokio::time::timeout(QUIET, raw.send(&bytes)).await;
    }
    victim.still_serves().await;
    // What is said of this comes after all that was said of the pings.
    victim.proxy.process.signal("HUP");
    let process = &victim.proxy.process;
    process
        .wait_for_output("a signal that has no meaning")
        .await;
    assert_eq!(news(), before);
}

/// What is neither HTTP/1 nor the preface is refused and closed.
#[tokio::test]
async fn garbage_is_closed() {
    let victim = start().await;
    for garbage in [
        &b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..],
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ] {
        let mut raw = h1::Connection::open(victim.port).await.unwrap();
        let _ = raw.send(garbage).await;
        assert!(
            raw.closes_within(wait::PATIENCE).await,
            "{garbage:?} was left open"
        );
    }
    assert!(victim.upstream.log().take().await.is_empty());
    victim.still_serves().await;
}

/// Slow heads end at `request_headers_timeout`, whoever else is served meanwhile.
#[tokio::test]
async fn slow_clients_are_cut_off() {
    let victim = start().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut connection = h1::Connection::open(victim.port).await.unwrap();
        connection
            .send(b"GET / HTTP/1.1\r\nHost: any.test\r\nx-")
            .await
            .unwrap();
        slow.push(connection);
    }
    victim.still_serves().await;
    for mut connection in slow {
        assert!(
            connection.closes_within(Duration::from_secs(5)).await,
            "a slow client was kept"
        );
    }
    assert!(victim.upstream.log().take().await.is_empty());
}

/// An upstream that never stops to say that it is going to answer.
fn interim_for_ever() -> (u16, std::sync::mpsc::Receiver<()>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ended, ends) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let ended = ended.clone();
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 1024]);
                let flood = b"HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n".repeat(10_000);
                while stream.write_all(&flood).is_ok() {}
                let _ = ended.send(());
            });
        }
    });
    (port, ends)
}

/// Such an upstream puts off no limit, does not stop others on the same worker from being served,
/// and is left when the client leaves.
#[tokio::test]
async fn interim_answers_without_end_are_given_up() {
    let upstream = Upstream::start(&["up", "up2"]).await;
    let (flood, ends) = interim_for_ever();
    let named = BTreeMap::from([
        ("main", ports::free()),
        ("admin", ports::free()),
        ("dead", ports::free()),
        ("up", upstream.ports()[0]),
        ("up2", flood),
    ]);
    let routes = "- {match: {prefix: /flood}, route: {cluster: up2, timeout: 1s}}\n\
                  - {match: {prefix: /long}, route: {cluster: up2, timeout: 0s}}\n\
                  - {match: {prefix: /}, route: {cluster: up}}";
    let config = bootstrap().listener(listener("main").route_list(routes));
    let text = config.render(&named, std::path::Path::new("/dev/null"));
    let _proxy = Proxy::start(Kind::Tandem, &text, named["admin"])
        .await
        .unwrap();
    let port = named["main"];
    let late = tokio::spawn(async move {
        let begun = Instant::now();
        let (status, _) = h1::get(port, "/flood").await.unwrap();
        (status, begun.elapsed())
    });
    let mut leaves = h1::Connection::open(port).await.unwrap();
    let request = b"GET /long HTTP/1.1\r\nHost: any.test\r\n\r\n";
    leaves.send(request).await.unwrap();
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(h1::get(port, "/").await.unwrap().0, 200);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    let (status, took) = late.await.unwrap();
    assert_eq!(status, 504);
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(leaves);
    let both = tokio::task::spawn_blocking(move || {
        (0..2).all(|_| ends.recv_timeout(Duration::from_secs(5)).is_ok())
    });
    assert!(
        both.await.unwrap(),
        "an upstream that nobody waits for is kept"
    );
}

/// A reader that stalls stops its writer: neither side's body piles up in between.
#[tokio::test]
async fn a_stalled_reader_costs_no_memory() {
    let victim = start().await;
    let before = victim.resident();
    let mut stalled = Vec::new();
    for _ in 0..20 {
        let mut connection = h1::Connection::open(victim.port).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: any.test\r\nx-script: 200 body=20000000\r\n\r\n";
        connection.send(request).await.unwrap();
        stalled.push(connection);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let grown = victim.resident().saturating_sub(before);
    assert!(
        grown < 40_000,
        "20 stalled readers of 20 MB each cost {grown} KiB"
    );
}
