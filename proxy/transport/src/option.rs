//! Socket options that `socket2` does not know, or not for both families.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use libc::c_int;
use socket2::Socket;

/// Lets a socket have an address that is not the system's own, of the family of `address`
/// (`IP_TRANSPARENT`, `IPV6_TRANSPARENT`).
///
/// # Errors
///
/// What the system says: it takes `CAP_NET_ADMIN`.
pub(crate) fn set_transparent(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => socket.set_ip_transparent_v4(true),
        SocketAddr::V6(_) => switch_on(socket, libc::SOL_IPV6, libc::IPV6_TRANSPARENT),
    }
}

/// Lets the kernel choose the port when it knows the peer, so that one port serves many peers.
///
/// # Errors
///
/// What the system says.
pub(crate) fn set_port_at_connect(socket: &Socket) -> io::Result<()> {
    switch_on(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT)
}

#[allow(unsafe_code, reason = "socket2 does not know these options")]
fn switch_on(socket: &Socket, level: c_int, option: c_int) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the descriptor is open while `socket` is borrowed, and the option's value is an
    // `int` that outlives the call, of the size that is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
