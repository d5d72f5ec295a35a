//! Where a redirected connection was going (`SO_ORIGINAL_DST`).

use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Asks the kernel where the client wanted to go before iptables' REDIRECT sent it here.
///
/// `None` if the kernel does not track the connection. A connection that was not redirected but
/// is tracked has its own address. `transparent` says that the socket takes connections to any
/// address (TPROXY): then what it is connected to is where the client wanted to go.
pub fn original_dst(stream: &TcpStream, transparent: bool) -> Option<SocketAddr> {
    let local = stream.local_addr().ok()?;
    let socket = SockRef::from(stream);
    let asked = match local {
        SocketAddr::V4(_) => socket.original_dst_v4(),
        SocketAddr::V6(_) => socket.original_dst_v6(),
    };
    match asked.ok().and_then(|address| address.as_socket()) {
        Some(SocketAddr::V6(mut address)) => {
            // The interface that packets came by is no part of where they were going.
            address.set_scope_id(0);
            address.set_flowinfo(0);
            Some(address.into())
        }
        Some(address) => Some(address),
        None => transparent.then_some(local),
    }
}
