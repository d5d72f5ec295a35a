use std::future::poll_fn;
use std::task::Poll;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::{LARGE, Uncork, cork};

/// The end of a turn.
async fn turn(uncork: &Uncork<DuplexStream>) {
    poll_fn(|cx| {
        uncork.send(cx);
        Poll::Ready(())
    })
    .await;
}

/// Long enough for what is held to be sent.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// A turn's small writes are one write.
#[tokio::test]
async fn holds_small_writes_until_the_driver_sends() {
    let (near, mut far) = tokio::io::duplex(64);
    let (mut corked, uncork) = cork(near);
    turn(&uncork).await;
    for part in ["head", "data", "trailers"] {
        corked.write_all(part.as_bytes()).await.unwrap();
        corked.flush().await.unwrap();
    }
    let mut got = [0; 64];
    tokio::select! {
        biased;
        _ = far.read(&mut got) => panic!("something was sent too early"),
        () = std::future::ready(()) => {}
    }
    turn(&uncork).await;
    let length = far.read(&mut got).await.unwrap();
    assert_eq!(&got[..length], b"headdatatrailers");
}

/// Nobody drives a handshake: its flushes count.
#[tokio::test]
async fn obeys_flushes_before_it_is_driven() {
    let (near, mut far) = tokio::io::duplex(64);
    let (mut corked, _uncork) = cork(near);
    corked.write_all(b"preface").await.unwrap();
    corked.flush().await.unwrap();
    let mut got = [0; 7];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"preface");
}

/// Bytes keep their order when a large write follows held ones, and the end comes after all.
#[tokio::test]
async fn keeps_the_order_of_small_and_large_writes() {
    let (near, mut far) = tokio::io::duplex(4 * LARGE);
    let (mut corked, uncork) = cork(near);
    turn(&uncork).await;
    let large = vec![b'x'; LARGE];
    corked.write_all(b"before").await.unwrap();
    corked.write_all(&large).await.unwrap();
    corked.write_all(b"after").await.unwrap();
    corked.shutdown().await.unwrap();
    drop((corked, uncork));
    let mut got = Vec::new();
    far.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, [b"before", large.as_slice(), b"after"].concat());
}

/// A peer that is gone is noticed by the protocol, which only reads.
#[tokio::test]
async fn tells_a_failure_at_the_next_read() {
    let (near, far) = tokio::io::duplex(64);
    let (mut corked, uncork) = cork(near);
    turn(&uncork).await;
    corked.write_all(b"lost").await.unwrap();
    drop(far);
    turn(&uncork).await;
    settle().await;
    assert!(corked.read(&mut [0; 8]).await.is_err());
}

/// What arrives while bytes are held is dealt with first, and the answers go out together.
#[tokio::test]
async fn sends_answers_to_what_had_arrived_meanwhile_together() {
    let (near, mut far) = tokio::io::duplex(64);
    let (mut corked, uncork) = cork(near);
    turn(&uncork).await;
    corked.write_all(b"one").await.unwrap();
    turn(&uncork).await;
    let mut got = [0; 64];
    far.write_all(b"?").await.unwrap();
    corked.read_exact(&mut got[..1]).await.unwrap();
    tokio::task::yield_now().await;
    corked.write_all(b"two").await.unwrap();
    turn(&uncork).await;
    let length = far.read(&mut got).await.unwrap();
    assert_eq!(&got[..length], b"onetwo");
}

/// A connection that ends has no other turn.
#[tokio::test]
async fn sends_what_is_left_when_it_ends() {
    let (near, mut far) = tokio::io::duplex(64);
    let (mut corked, uncork) = cork(near);
    turn(&uncork).await;
    corked.write_all(b"goodbye").await.unwrap();
    poll_fn(|cx| {
        uncork.finish(cx);
        Poll::Ready(())
    })
    .await;
    drop((corked, uncork));
    let mut got = Vec::new();
    far.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"goodbye");
}

/// What the socket does not take is sent when it takes more, in the name of the connection's task.
#[tokio::test]
async fn sends_the_rest_when_the_socket_takes_it() {
    let (near, mut far) = tokio::io::duplex(4);
    let (mut corked, uncork) = cork(near);
    turn(&uncork).await;
    corked.write_all(b"more than four").await.unwrap();
    let driver = tokio::spawn(poll_fn(move |cx| {
        uncork.send(cx);
        Poll::<()>::Pending
    }));
    let mut got = [0; 14];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"more than four");
    driver.abort();
}
