//! Where a redirected connection was going (`SO_ORIGINAL_DST`).

use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Asks the kernel where the client wanted to go before iptables' REDIRECT sent it here.
///
/// `None` if it was not redirected: whoever connected to this very socket wants nobody else, and
/// taking its address for a destination would make a proxy call itself for ever. `transparent`
/// says that the socket takes connections to any address (TPROXY): then what it is connected to
/// is where the client wanted to go.
pub fn original_dst(stream: &TcpStream, transparent: bool) -> Option<SocketAddr> {
    let local = stream.local_addr().ok()?;
    let socket = SockRef::from(stream);
    let asked = match local {
        SocketAddr::V4(_) => socket.original_dst_v4(),
        SocketAddr::V6(_) => socket.original_dst_v6(),
    };
    let asked = asked.ok().and_then(|address| address.as_socket());
    let redirected = asked.map(plain).filter(|asked| *asked != plain(local));
    redirected.or(transparent.then_some(plain(local)))
}

/// Without the interface that packets came by, which is no part of where they were going.
fn plain(mut address: SocketAddr) -> SocketAddr {
    if let SocketAddr::V6(address) = &mut address {
        address.set_scope_id(0);
        address.set_flowinfo(0);
    }
    address
}
