use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tandem_transport::rewind::Rewind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::support::{Served, connection, serve, settle};
use crate::server::h2::goodbye;

type Client = h2::client::SendRequest<Bytes>;

async fn connect(served: &mut Served) -> (Client, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let (other, _) = tokio::io::duplex(1);
    let io: DuplexStream = std::mem::replace(&mut served.client, other);
    let (client, connection) = h2::client::handshake(io).await.unwrap();
    (client, tokio::spawn(connection))
}

fn request(path: &str) -> Request<()> {
    Request::post(format!("http://a{path}")).body(()).unwrap()
}

async fn read(mut body: h2::RecvStream) -> Result<(Vec<u8>, bool), h2::Error> {
    let mut got = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        got.extend_from_slice(&data);
    }
    Ok((got, body.trailers().await?.is_some()))
}

#[tokio::test]
async fn streams_are_served_side_by_side() {
    let mut served = serve(|_| {});
    let (client, _connection) = connect(&mut served).await;
    let mut client = client.ready().await.unwrap();
    let (waiting, mut upload) = client.send_request(request("/1"), false).unwrap();
    let (quick, _) = client.send_request(request("/2"), true).unwrap();
    assert_eq!(quick.await.unwrap().status(), 200);
    upload.send_data(Bytes::from_static(b"abc"), false).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x", http::HeaderValue::from_static("y"));
    upload.send_trailers(trailers).unwrap();
    let (body, _) = read(waiting.await.unwrap().into_body()).await.unwrap();
    assert_eq!(body, b"abc");
    assert_eq!(served.seen(), ["POST /2 [] 0", "POST /1 [abc] 1"]);
}

#[tokio::test]
async fn trailers_come_back_and_broken_bodies_are_reset() {
    let mut served = serve(|_| {});
    let (client, _connection) = connect(&mut served).await;
    let mut client = client.ready().await.unwrap();
    let (response, _) = client.send_request(request("/trailers"), true).unwrap();
    let got = read(response.await.unwrap().into_body()).await.unwrap();
    assert_eq!(got, (b"part".to_vec(), true));
    let (response, _) = client.send_request(request("/broken"), true).unwrap();
    let error = read(response.await.unwrap().into_body()).await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn large_bodies_stream_both_ways() {
    let mut served = serve(|_| {});
    let (client, _connection) = connect(&mut served).await;
    let mut client = client.ready().await.unwrap();
    let (response, mut upload) = client.send_request(request("/"), false).unwrap();
    let mut left = Bytes::from(vec![b'x'; 2_000_000]);
    while !left.is_empty() {
        upload.reserve_capacity(left.len());
        let n = std::future::poll_fn(|cx| upload.poll_capacity(cx))
            .await
            .unwrap()
            .unwrap();
        let end = n == left.len();
        upload.send_data(left.split_to(n), end).unwrap();
    }
    let (body, _) = read(response.await.unwrap().into_body()).await.unwrap();
    assert_eq!(body.len(), 2_000_000);
}

#[tokio::test]
async fn draining_says_goaway_and_finishes_what_runs() {
    let mut served = serve(|_| {});
    let (client, connection) = connect(&mut served).await;
    let mut client = client.ready().await.unwrap();
    let (response, mut upload) = client.send_request(request("/1"), false).unwrap();
    settle().await;
    served.draining.start();
    settle().await;
    upload.send_data(Bytes::from_static(b"late"), true).unwrap();
    let (body, _) = read(response.await.unwrap().into_body()).await.unwrap();
    assert_eq!(body, b"late");
    drop(client);
    connection.await.unwrap().unwrap();
    (&mut served.task).await.unwrap();
    assert_eq!(served.stat("http.h.downstream_cx_drain_close"), "1");
}

#[tokio::test]
async fn a_client_that_resets_all_it_opens_is_sent_away() {
    let mut served = serve(|_| {});
    let (client, connection) = connect(&mut served).await;
    let mut client = client.ready().await.unwrap();
    for _ in 0..2000 {
        let Ok(ready) = client.clone().ready().await else {
            break;
        };
        client = ready;
        let Ok((_, mut upload)) = client.send_request(request("/slow"), false) else {
            break;
        };
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        upload.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }
    let error = connection.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_ended_in_order() {
    let mut served = serve(|manager| manager.idle_timeout = Some(Duration::from_secs(30)));
    let start = tokio::time::Instant::now();
    let (client, connection) = connect(&mut served).await;
    let mut client = client.ready().await.unwrap();
    let (response, _) = client.send_request(request("/1"), true).unwrap();
    response.await.unwrap();
    connection.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_asks_is_ended_too() {
    let mut served = serve(|manager| manager.idle_timeout = Some(Duration::from_secs(30)));
    let start = tokio::time::Instant::now();
    let (_client, connection) = connect(&mut served).await;
    connection.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 30);
}

/// Asked to leave, a client has `drain_timeout` for what it has not yet heard that of.
#[tokio::test(start_paused = true)]
async fn what_is_asked_after_the_goodbye_is_served() {
    for gently in [false, true] {
        let mut served = serve(|manager| {
            let life = (!gently).then_some(Duration::from_secs(9));
            manager.max_connection_duration = life;
        });
        served.send([PREFACE, POST, DONE].concat()).await;
        settle().await;
        if gently {
            tokio::time::sleep(Duration::from_secs(9)).await;
            served.draining.start_gently();
        } else {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        settle().await;
        served.send(goodbye::ANSWER).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        // The rest of what is begun comes behind the end of that time.
        served.send(LATE).await;
        served.send(&PING[..5]).await;
        let start = tokio::time::Instant::now();
        let late = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            PING[5..].to_vec()
        };
        let rest = late.await;
        served.send(rest).await;
        assert_eq!(last_streams(served.client).await, [i32::MAX, 3]);
        assert_eq!(start.elapsed().as_secs(), 3);
        served.task.await.unwrap();
        assert_eq!(*served.seen.lock().unwrap(), ["POST / [x] 0", "GET / [] 0"]);
    }
}

/// What the goodbyes say until the end.
async fn last_streams(mut client: DuplexStream) -> Vec<i32> {
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.unwrap();
    let mut last = Vec::new();
    let mut rest = got.as_slice();
    while let [a, b, c, kind, ..] = *rest {
        if kind == 7 {
            last.push(i32::from_be_bytes(rest[9..13].try_into().unwrap()));
        }
        rest = &rest[9 + u32::from_be_bytes([0, a, b, c]) as usize..];
    }
    last
}

/// A process that ends does not wait for that.
#[tokio::test(start_paused = true)]
async fn who_was_asked_to_leave_goes_when_the_process_ends() {
    for answers_before in [true, false] {
        let mut served = serve(|manager| manager.idle_timeout = Some(Duration::from_secs(9)));
        served.send(PREFACE).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        if answers_before {
            served.send(goodbye::ANSWER).await;
            settle().await;
        }
        assert!(!served.task.is_finished());
        served.draining.start();
        settle().await;
        if !answers_before {
            assert!(!served.task.is_finished());
            served.send(goodbye::ANSWER).await;
        }
        let start = tokio::time::Instant::now();
        assert_eq!(last_streams(served.client).await[0], i32::MAX);
        served.task.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 0);
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";
/// `POST /` to `a`, on stream 1; its body follows.
const POST: &[u8] = b"\0\0\x06\x01\x04\0\0\0\x01\x83\x84\x86\x41\x01a";
/// `GET /` to `a`, on stream 3.
const LATE: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x03\x82\x84\x86\x41\x01a";
/// The end of the body on stream 1.
const DONE: &[u8] = b"\0\0\x01\0\x01\0\0\0\x01x";

/// Reads without ever answering, until the other side ends it; how often it was asked to go.
async fn ignore(client: DuplexStream, more: &'static [u8]) -> (usize, Duration) {
    let start = tokio::time::Instant::now();
    let (mut reader, mut writer) = tokio::io::split(client);
    let sending = async {
        while !more.is_empty() && writer.write_all(more).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut got = Vec::new();
    tokio::select! {
        read = reader.read_to_end(&mut got) => { let _ = read; }
        () = sending => {}
    }
    let mut goodbyes = 0;
    let mut rest = got.as_slice();
    while let [a, b, c, kind, ..] = *rest {
        goodbyes += usize::from(kind == 7);
        rest = &rest[9 + u32::from_be_bytes([0, a, b, c]) as usize..];
    }
    (goodbyes, start.elapsed())
}

/// Who does not answer when it is asked to leave has `drain_timeout` for it, whatever it does
/// meanwhile.
#[tokio::test(start_paused = true)]
async fn a_client_that_answers_nothing_is_ended_all_the_same() {
    for (begins, more) in [
        (b"".as_slice(), b"".as_slice()),
        (b"", PING),
        // Half a header block.
        (b"\0\0\x01\x01\x01\0\0\0\x01\x82", b""),
        (&POST[..7], b""),
    ] {
        let mut served = serve(|manager| {
            manager.idle_timeout = Some(Duration::from_secs(6));
            manager.drain_timeout = Duration::from_secs(5);
        });
        served.send([PREFACE, begins].concat()).await;
        let (goodbyes, took) = ignore(served.client, more).await;
        assert_eq!((goodbyes, took.as_secs()), (2, 11));
        served.task.await.unwrap();
        assert!(
            served
                .stats
                .text(|n| n.ends_with("cx_idle_timeout"), false)
                .ends_with(" 1\n")
        );
    }
}

/// The same for the other reasons to leave.
#[tokio::test(start_paused = true)]
async fn every_goodbye_comes_to_an_end() {
    let mut served =
        serve(|manager| manager.max_connection_duration = Some(Duration::from_secs(9)));
    served.send(PREFACE).await;
    assert_eq!(ignore(served.client, PING).await.1.as_secs(), 9 + 5);
    let mut served = serve(|_| {});
    served.send(PREFACE).await;
    settle().await;
    served.draining.start();
    assert_eq!(ignore(served.client, PING).await.1.as_secs(), 5);
}

/// What runs is finished although the client answers nothing, and what is new is refused then.
#[tokio::test(start_paused = true)]
async fn a_client_that_answers_nothing_is_not_cut_off() {
    let mut served = serve(|_| {});
    served.send([PREFACE, POST].concat()).await;
    settle().await;
    served.draining.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!served.task.is_finished());
    served.send([LATE, DONE].concat()).await;
    let (goodbyes, took) = ignore(served.client, b"").await;
    assert_eq!(goodbyes, 2);
    assert!((5..=10).contains(&took.as_secs()), "{took:?}");
    assert_eq!(*served.seen.lock().unwrap(), ["POST / [x] 0"]);
}

/// A client that does not even read.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_ended_too() {
    let mut served = serve(|manager| manager.idle_timeout = Some(Duration::from_secs(6)));
    served.send(PREFACE).await;
    let start = tokio::time::Instant::now();
    // As many answers as fill the pipe, and the goodbye behind them; not so many at once that it
    // would be a flood.
    let pings = PING.repeat(500);
    let limit = Duration::from_millis(10);
    while tokio::time::timeout(limit, served.client.write_all(&pings))
        .await
        .is_ok()
    {
        settle().await;
        assert!(!served.task.is_finished());
    }
    served.task.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 6 + 5 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_answering_pings_is_dropped() {
    let mut served = serve(|manager| {
        manager.http2.keepalive_interval = Some(Duration::from_secs(10));
        manager.http2.keepalive_timeout = Duration::from_secs(5);
    });
    let start = tokio::time::Instant::now();
    served
        .send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    (&mut served.task).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn connect_is_refused() {
    let mut served = serve(|_| {});
    let (client, _connection) = connect(&mut served).await;
    let mut client = client.ready().await.unwrap();
    let connect = Request::connect("a:80").body(()).unwrap();
    let (response, _) = client.send_request(connect, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 404);
    assert_eq!(served.seen(), ["rejected route_not_found"]);
}

#[tokio::test]
async fn what_a_connection_holds_is_small() {
    let served = serve(|_| {});
    let (_, io) = tokio::io::duplex(1);
    let io = Rewind::new(Bytes::new(), io);
    let serving = crate::server::h2::serve(Arc::clone(&served.server), io, connection(), None);
    // Beside what the protocol's library has, to which it points.
    let size = size_of_val(&serving);
    assert!(size <= 448, "{size}");
}
