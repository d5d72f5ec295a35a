use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use tandem_transport::io::Io;

use super::Watched;

#[tokio::test]
async fn what_was_said_before_a_reset_is_read_although_writing_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("bound");
    let mut watched = Watched {
        stream: Io::Plain(TcpStream::connect(address).await.expect("connect")),
        heard: Arc::default(),
        counters: Arc::default(),
        deaf: None,
    };
    watched.write_all(b"unread").await.expect("write");
    let (mut peer, _) = listener.accept().await.expect("accept");
    peer.readable().await.expect("readable");
    peer.write_all(b"refused").await.expect("write");
    // Closed with something unread, which resets the connection.
    drop(peer);
    while watched.deaf.is_none() {
        watched.write_all(b"more").await.expect("goes nowhere");
        tokio::task::yield_now().await;
    }
    let mut said = [0; 7];
    watched.read_exact(&mut said).await.expect("still there");
    assert_eq!(&said, b"refused");
    watched.read(&mut said).await.expect_err("then the reset");
}
