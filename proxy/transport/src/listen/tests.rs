use std::sync::Arc;

use super::*;

fn options(reuse_port: bool) -> Options {
    Options {
        backlog: 16,
        reuse_port,
        transparent: false,
        freebind: false,
    }
}

fn loopback() -> Address {
    Address::Socket(SocketAddr::from(([127, 0, 0, 1], 0)))
}

#[test]
fn workers_share_the_port_that_the_first_one_got() {
    for reuse_port in [true, false] {
        let sockets = bind(&loopback(), 3, &options(reuse_port)).unwrap();
        let port = sockets[0].local_addr().unwrap().port();
        assert_ne!(port, 0);
        assert!(
            sockets
                .iter()
                .all(|s| s.local_addr().unwrap().port() == port)
        );
    }
}

#[test]
fn a_taken_port_is_refused_with_its_address() {
    let first = bind(&loopback(), 1, &options(false)).unwrap();
    let addr = first[0].local_addr().unwrap();
    let error = bind(&Address::Socket(addr), 1, &options(false)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
}

#[test]
fn a_name_is_refused_clearly() {
    let host = Arc::from("orders.test");
    let error = bind(&Address::Name { host, port: 80 }, 1, &options(false)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot listen on orders.test:80: expected an IP address"
    );
}

#[test]
fn an_address_that_the_system_lacks_can_be_bound_if_asked_for() {
    let addr = Address::Socket("192.0.2.77:0".parse().unwrap());
    let with = |freebind| Options {
        freebind,
        ..options(true)
    };
    assert!(bind(&addr, 1, &with(false)).is_err());
    assert!(bind(&addr, 1, &with(true)).is_ok());
}

/// The file of a Unix socket has the mode asked for; what an earlier process left there gives
/// way, and what is no socket does not.
#[test]
fn a_unix_socket_replaces_its_forerunner() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let pipe = Address::Pipe(Pipe {
        path: path.to_str().unwrap().into(),
        mode: 0o640,
    });
    for _ in 0..2 {
        let sockets = bind(&pipe, 2, &options(true)).unwrap();
        assert_eq!(sockets.len(), 2);
        assert_eq!(sockets[0].local_addr(), None);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        UnixStream::connect(&path).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "somebody's own").unwrap();
    let error = bind(&pipe, 1, &options(true)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's own");
}

/// A successor has the same queue, which no second socket could be bound beside.
#[test]
fn a_socket_that_is_taken_over_lets_in_who_waits() {
    let first = bind(&loopback(), 1, &options(false)).unwrap().remove(0);
    let addr = first.local_addr().unwrap();
    assert!(bind(&Address::Socket(addr), 1, &options(false)).is_err());
    let waiting = std::net::TcpStream::connect(addr).unwrap();
    let sockets = again(&first, 2, &options(false)).unwrap();
    drop(first);
    let Listening::Tcp(socket) = &sockets[1] else {
        panic!("expected a TCP socket");
    };
    let (_, peer) = socket.accept().unwrap();
    assert_eq!(peer, waiting.local_addr().unwrap());
}
