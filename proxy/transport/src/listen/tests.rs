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
        "cannot listen on orders.test:80: only IP addresses are supported"
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
