use std::cell::Cell;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

fn ends_with(end: u8) -> impl FnMut(&[u8]) -> Option<usize> {
    move |bytes| (bytes.last() == Some(&end)).then_some(bytes.len())
}

#[tokio::test]
async fn it_waits_for_what_decides_and_takes_nothing() {
    let (mut client, mut server) = pair().await;
    let found = tokio::spawn(async move {
        let found = peek(&server, 100, ends_with(b'!')).await.unwrap();
        let mut got = [0; 6];
        server.read_exact(&mut got).await.unwrap();
        (found, got)
    });
    for part in ["he", "l", "lo", "!"] {
        client.write_all(part.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(found.await.unwrap(), (Peeked::Found(6), *b"hello!"));
}

#[tokio::test]
async fn it_stops_at_the_most_it_may_look_at() {
    let (mut client, server) = pair().await;
    client.write_all(b"0123456789").await.unwrap();
    let found = peek(&server, 4, ends_with(b'!')).await.unwrap();
    assert_eq!(found, Peeked::TooLong);
    assert_eq!(
        peek(&server, 4, ends_with(b'3')).await.unwrap(),
        Peeked::Found(4)
    );
}

#[tokio::test]
async fn an_end_before_the_decision_is_told() {
    let (client, server) = pair().await;
    drop(client);
    assert_eq!(
        peek(&server, 4, ends_with(b'!')).await.unwrap(),
        Peeked::Closed
    );

    let (mut client, server) = pair().await;
    client.write_all(b"hel").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(
        peek(&server, 9, ends_with(b'!')).await.unwrap(),
        Peeked::Closed
    );
    assert_eq!(
        peek(&server, 9, ends_with(b'l')).await.unwrap(),
        Peeked::Found(3)
    );
}

#[tokio::test]
async fn what_did_not_decide_can_be_read_once_the_stream_is_known_anew() {
    let (mut client, server) = pair().await;
    client.write_all(b"hel").await.unwrap();
    // The future is dropped where a timeout would drop it: waiting for more.
    let judged = Cell::new(0);
    tokio::select! {
        biased;
        _ = peek(&server, 9, |bytes| { judged.set(bytes.len()); None::<()> }) => unreachable!(),
        () = async { while judged.get() != 3 { tokio::task::yield_now().await } } => {}
    }
    let mut server = rearm(server).unwrap();
    let mut got = [0; 3];
    server.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"hel");
}
