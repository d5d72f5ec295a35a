//! Where a connection comes from.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use socket2::SockRef;
use tandem_core::Error;
use tandem_core::error::{ConnectFailure, Kind};
use tandem_model::cluster::Bind;
use tokio::net::TcpSocket;

use super::words;

/// Binds the socket to the source that suits `addr`.
pub(super) fn bind(socket: &TcpSocket, addr: SocketAddr, bind: &Bind) -> Result<(), Error> {
    let suits = |source: &&SocketAddr| source.is_ipv4() == addr.is_ipv4();
    let source = bind.sources.iter().find(suits).or(bind.sources.first());
    set(socket, source, bind.mark).map_err(|error| {
        let source = source.map(ToString::to_string).unwrap_or_default();
        Error::with_source(
            Kind::ConnectFailure(ConnectFailure::Bind),
            format!("failed to bind to {source}: {}", words(&error)),
        )
    })
}

fn set(socket: &TcpSocket, source: Option<&SocketAddr>, mark: Option<u32>) -> io::Result<()> {
    if let Some(mark) = mark {
        SockRef::from(socket).set_mark(mark)?;
    }
    let Some(source) = source else { return Ok(()) };
    if source.port() == 0 {
        // Best effort: without it connections to all endpoints share one range of ports.
        let _ = port_at_connect(socket);
    }
    socket.bind(*source)
}

/// Lets the kernel choose the port when it knows the peer, so that one port serves many peers.
#[allow(unsafe_code, reason = "socket2 does not know this option")]
fn port_at_connect(socket: &TcpSocket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open while `socket` is borrowed, and the option's value is an
    // `int` that outlives the call, of the size that is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
