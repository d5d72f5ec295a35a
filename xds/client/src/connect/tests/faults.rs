//! Endpoints that are not there, go away, or say nothing.

use std::time::Duration;

use tokio::net::TcpListener;

use super::*;
use crate::connect::KeepAlive;
use crate::tests::served::reserved;

#[tokio::test]
async fn a_lost_connection_is_made_again_by_the_next_request() {
    let (_reserved, address) = reserved();
    let listener = TcpListener::bind(address).await.unwrap();
    let served = {
        let echo = service_fn(|request| echo("one", request));
        serve(listener, move |stream| http2(stream, echo))
    };
    let channel = Channel::new(Server::new([tcp("127.0.0.1", address.port())]));
    assert_eq!(seen(&channel, "server").await, "one");
    drop(served);
    // The connection's end may be noticed by the request on it or before.
    while get(&channel).await.is_ok() {}
    let error = get(&channel).await.unwrap_err().to_string();
    let expected = format!("connect to {address}: ");
    assert!(error.starts_with(&expected), "{error}");
    let listener = TcpListener::bind(address).await.unwrap();
    let echo = service_fn(|request| echo("two", request));
    let _served = serve(listener, move |stream| http2(stream, echo));
    assert_eq!(seen(&channel, "server").await, "two");
}

#[tokio::test]
async fn endpoints_are_tried_in_turn_and_each_connection_begins_with_the_next() {
    let (_reserved, gone) = reserved();
    let (one, _one) = server("one").await;
    let (two, _two) = server("two").await;
    let endpoints = [gone, one, two].map(|address| tcp("127.0.0.1", address.port()));
    let described = Server::new(endpoints);
    let mut served = std::collections::BTreeSet::new();
    while served.len() < 2 {
        // A new channel draws where to begin.
        served.insert(seen(&Channel::new(described.clone()), "server").await);
    }
}

#[tokio::test]
async fn a_control_plane_without_endpoints_is_an_error() {
    let error = get(&Channel::new(Server::new([]))).await.unwrap_err();
    assert_eq!(error.to_string(), "endpoints: empty, expected at least one");
}

#[tokio::test]
async fn a_name_that_is_not_known_is_an_error_that_names_it() {
    // Too long for a label: no name server has to be asked.
    let name = "x".repeat(64);
    let server = Server::new([tcp(&name, 1)]);
    let error = get(&Channel::new(server)).await.unwrap_err().to_string();
    let expected = format!("look up `{name}`: ");
    assert!(error.starts_with(&expected), "{error}");
}

/// A handshake that nobody answers: the server accepts and is silent.
#[tokio::test]
async fn a_silent_handshake_ends_by_the_timeout() {
    let (listener, address) = listen().await;
    let _served = serve(listener, async |stream| {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let channel = Channel::new(Server {
        tls: Some(super::tls::trusting_nobody()),
        connect_timeout: Duration::from_millis(20),
        ..Server::new([tcp("127.0.0.1", address.port())])
    });
    let error = get(&channel).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("connect to {address}: timed out")
    );
}

#[tokio::test]
async fn pings_notice_a_control_plane_that_is_silent() {
    let (listener, address) = listen().await;
    let _served = serve(listener, async |stream| {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let channel = Channel::new(Server {
        keep_alive: Some(KeepAlive {
            interval: Duration::from_millis(10),
            timeout: Duration::from_millis(10),
        }),
        ..Server::new([tcp("127.0.0.1", address.port())])
    });
    let error = get(&channel).await.unwrap_err();
    assert!(matches!(error, Error::Exchange(_)), "{error}");
}

/// What answers is no HTTP/2 server.
#[tokio::test]
async fn garbage_is_an_error() {
    let (listener, address) = listen().await;
    let _served = serve(listener, async |mut stream| {
        let garbage = [b'x'; 4096];
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &garbage).await;
        std::future::pending::<()>().await;
    });
    let channel = Channel::new(Server::new([tcp("127.0.0.1", address.port())]));
    let error = get(&channel).await.unwrap_err();
    assert!(matches!(error, Error::Exchange(_)), "{error}");
}
