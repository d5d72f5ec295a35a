use std::net::TcpListener;

use super::*;

/// A listening peer is reached, and small writes do not wait for acknowledgements.
#[tokio::test]
async fn connects_without_delay() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let keepalive = TcpKeepalive {
        probes: Some(3),
        time: Some(Duration::from_secs(7)),
        interval: None,
    };
    let addr = listener.local_addr().unwrap();
    let stream = connect(addr, Duration::from_secs(5), Some(&keepalive), None)
        .await
        .unwrap();
    assert!(stream.nodelay().unwrap());
    assert!(SockRef::from(&stream).keepalive().unwrap());
}

/// A refusal says so in Envoy's words.
#[tokio::test]
async fn a_refusal_names_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let error = connect(addr, Duration::from_secs(5), None, None)
        .await
        .unwrap_err();
    assert!(matches!(
        error.kind(),
        Kind::ConnectFailure(ConnectFailure::Refused)
    ));
    assert_eq!(
        error.cause().unwrap().to_string(),
        "delayed connect error: Connection refused"
    );
}

/// A connection comes from the address of the endpoint's family, whichever is the default.
#[tokio::test]
async fn a_connection_comes_from_where_it_is_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let sources = ["[::1]:0", "127.0.0.6:0"].map(|source| source.parse().unwrap());
    let bind = Bind {
        sources: sources.to_vec(),
        mark: None,
    };
    let stream = connect(addr, Duration::from_secs(5), None, Some(&bind)).await;
    let stream = stream.unwrap();
    assert_eq!(stream.local_addr().unwrap().ip().to_string(), "127.0.0.6");
    let (_, peer) = listener.accept().unwrap();
    assert_eq!(peer, stream.local_addr().unwrap());
}

/// An address of somebody else is refused by name.
#[tokio::test]
async fn a_foreign_source_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let bind = Bind {
        sources: vec!["192.0.2.1:0".parse().unwrap()],
        mark: None,
    };
    let error = connect(addr, Duration::from_secs(5), None, Some(&bind)).await;
    let error = error.unwrap_err();
    assert!(matches!(
        error.kind(),
        Kind::ConnectFailure(ConnectFailure::Bind)
    ));
    assert_eq!(
        error.cause().unwrap().to_string(),
        "failed to bind to 192.0.2.1:0: Cannot assign requested address"
    );
}
