//! Binding listening sockets, one per worker.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use tandem_model::Address;

/// Binds one listening socket for each worker.
///
/// With `reuse_port` every worker has a queue of its own and the kernel spreads connections
/// among them; without it all workers accept from one queue. Port 0 is chosen once and shared.
///
/// # Errors
///
/// What the system says, with the address in front; addresses that are not IP sockets are
/// refused.
pub fn bind(
    address: &Address,
    workers: usize,
    backlog: u32,
    reuse_port: bool,
) -> io::Result<Vec<TcpListener>> {
    let mut addr = match address {
        Address::Socket(addr) => *addr,
        Address::Name { .. } => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("cannot listen on {address}: only IP addresses are supported"),
            ));
        }
    };
    let mut sockets: Vec<TcpListener> = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = match sockets.first() {
            Some(first) if !reuse_port => first.try_clone()?,
            _ => bind_one(addr, backlog, reuse_port).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}"))
            })?,
        };
        addr = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn bind_one(addr: SocketAddr, backlog: u32, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        // Two processes must not share a port by accident: an address already taken by a
        // listener that does not share is still refused by the system.
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
