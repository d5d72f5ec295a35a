use std::sync::Arc;

use super::*;

fn loopback() -> Address {
    Address::Socket(SocketAddr::from(([127, 0, 0, 1], 0)))
}

#[test]
fn workers_share_the_port_that_the_first_one_got() {
    for reuse_port in [true, false] {
        let sockets = bind(&loopback(), 3, 16, reuse_port).unwrap();
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
    let first = bind(&loopback(), 1, 16, false).unwrap();
    let addr = first[0].local_addr().unwrap();
    let error = bind(&Address::Socket(addr), 1, 16, false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
}

#[test]
fn a_name_is_refused_clearly() {
    let host = Arc::from("orders.test");
    let error = bind(&Address::Name { host, port: 80 }, 1, 16, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot listen on orders.test:80: only IP addresses are supported"
    );
}
