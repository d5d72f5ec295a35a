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
    let stream = connect(addr, Duration::from_secs(5), Some(&keepalive))
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
    let error = connect(addr, Duration::from_secs(5), None)
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
