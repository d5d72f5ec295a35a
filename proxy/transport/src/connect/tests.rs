use std::net::TcpListener;

use tandem_model::Pipe;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

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
    let stream = connect(
        &Address::Socket(addr),
        Duration::from_secs(5),
        Some(&keepalive),
        None,
        None,
    )
    .await
    .unwrap();
    assert!(stream.nodelay().unwrap());
    assert!(SockRef::from(&stream).keepalive().unwrap());
}

/// A refusal says so in Envoy's words.
#[tokio::test]
async fn a_refusal_names_its_cause() {
    // Bound, and so nobody else's; nobody listens.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = reserved.local_addr().unwrap();
    let error = connect(
        &Address::Socket(addr),
        Duration::from_secs(5),
        None,
        None,
        None,
    )
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
    let stream = connect(
        &Address::Socket(addr),
        Duration::from_secs(5),
        None,
        Some(&bind),
        None,
    )
    .await;
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
    let error = connect(
        &Address::Socket(addr),
        Duration::from_secs(5),
        None,
        Some(&bind),
        None,
    )
    .await;
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

fn pipe(path: &str) -> Address {
    Address::Pipe(Pipe {
        path: path.into(),
        mode: 0,
    })
}

/// A Unix socket is a connection like any other: bytes go both ways, and each way ends by itself.
#[tokio::test]
async fn a_unix_socket_is_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let abstract_name = format!("@{}", path.display());
    for path in [path.to_str().unwrap(), &abstract_name] {
        let listener = UnixListener::bind(path.replace('@', "\0")).unwrap();
        let keepalive = TcpKeepalive {
            probes: Some(3),
            time: None,
            interval: None,
        };
        let bind = Bind {
            sources: vec!["127.0.0.1:0".parse().unwrap()],
            mark: None,
        };
        let limit = Duration::from_secs(5);
        let stream = connect(&pipe(path), limit, Some(&keepalive), Some(&bind), None).await;
        let mut io = crate::io::Io::from(stream.unwrap());
        assert_eq!(io.local_addr(), None);
        let (mut peer, _) = listener.accept().await.unwrap();
        io.write_all(b"there").await.unwrap();
        io.shutdown().await.unwrap();
        let mut got = String::new();
        peer.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "there");
        peer.write_all(b"and back").await.unwrap();
        drop(peer);
        got.clear();
        io.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "and back");
    }
}

/// What the system says of a Unix socket is said in Envoy's words.
#[tokio::test]
async fn a_missing_unix_socket_is_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none");
    let limit = Duration::from_secs(5);
    let error = connect(&pipe(path.to_str().unwrap()), limit, None, None, None).await;
    assert_eq!(
        error.unwrap_err().cause().unwrap().to_string(),
        "immediate connect error: No such file or directory"
    );
}

/// A client's address goes before the cluster's; it takes a right to use it.
#[tokio::test]
async fn a_connection_comes_from_where_the_client_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = Address::Socket(listener.local_addr().unwrap());
    let bind = Bind {
        sources: vec!["127.0.0.6:0".parse().unwrap()],
        mark: None,
    };
    let source = Source::of("127.0.0.7:1000".parse().unwrap(), Some(7));
    let limit = Duration::from_secs(5);
    match connect(&addr, limit, None, Some(&bind), Some(&source)).await {
        Ok(stream) => {
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip().to_string(), "127.0.0.7");
            assert_eq!(peer, stream.local_addr().unwrap());
            assert_ne!(peer.port(), 1000);
        }
        Err(error) => {
            eprintln!("SKIPPED: this takes CAP_NET_ADMIN");
            let failed = Kind::ConnectFailure(ConnectFailure::Option);
            assert_eq!(format!("{:?}", error.kind()), format!("{failed:?}"));
        }
    }
}

/// An endpoint of the other family cannot be called from there; no other address is taken for it.
#[tokio::test]
async fn a_client_of_another_family_is_not_stood_in_for() {
    let addr = Address::Socket("[::1]:1".parse().unwrap());
    let source = Source::of("127.0.0.7:1000".parse().unwrap(), None);
    let limit = Duration::from_secs(5);
    let error = connect(&addr, limit, None, None, Some(&source)).await;
    assert!(matches!(
        error.unwrap_err().kind(),
        Kind::ConnectFailure(ConnectFailure::Bind | ConnectFailure::Option)
    ));
}

/// A Unix socket has no addresses, so nothing is kept.
#[tokio::test]
async fn a_client_means_nothing_to_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let source = Source::of("127.0.0.7:1000".parse().unwrap(), Some(7));
    let limit = Duration::from_secs(5);
    let to = pipe(path.to_str().unwrap());
    assert!(connect(&to, limit, None, None, Some(&source)).await.is_ok());
}
