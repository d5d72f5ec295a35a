//! Binding listening sockets, one per worker.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tandem_model::{Address, Listener, Pipe};

use crate::{option, unix};

/// A listening socket.
#[derive(Debug)]
pub enum Listening {
    /// At an IP address.
    Tcp(TcpListener),
    /// At a path, which comes with it.
    Unix(UnixListener, Arc<str>),
}

impl Listening {
    /// The IP address that it got.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// The same socket once more: both accept from one queue.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            Self::Unix(socket, path) => Ok(Self::Unix(socket.try_clone()?, Arc::clone(path))),
        }
    }
}

/// How a listening socket is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `listen(2)` backlog.
    pub backlog: u32,
    /// A queue for each worker (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// Take connections to any address (`IP_TRANSPARENT`); needs `CAP_NET_ADMIN`.
    pub transparent: bool,
    /// Bind to an address that the system does not have yet (`IP_FREEBIND`).
    pub freebind: bool,
}

impl Options {
    /// As a listener asks for.
    pub fn of(listener: &Listener) -> Self {
        Self {
            backlog: listener.tcp_backlog_size,
            reuse_port: listener.enable_reuse_port,
            transparent: listener.transparent,
            freebind: listener.freebind,
        }
    }
}

/// Binds one listening socket for each worker.
///
/// With [`Options::reuse_port`] every worker has a queue of its own and the kernel spreads connections
/// among them; without it, and at a Unix socket, all workers accept from one queue. Port 0 is
/// chosen once and shared.
///
/// # Errors
///
/// What the system says, with the address in front; names are refused.
pub fn bind(address: &Address, workers: usize, options: &Options) -> io::Result<Vec<Listening>> {
    let bound = match address {
        Address::Socket(addr) => bind_tcp(*addr, workers, options),
        Address::Pipe(pipe) => bind_unix(pipe, workers, options),
        Address::Name { .. } => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "expected an IP address",
        )),
    };
    bound.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

fn bind_unix(pipe: &Pipe, workers: usize, options: &Options) -> io::Result<Vec<Listening>> {
    let socket = unix::listen(pipe, backlog(options))?;
    let mut sockets = Vec::with_capacity(workers);
    for _ in 1..workers {
        sockets.push(Listening::Unix(socket.try_clone()?, Arc::clone(&pipe.path)));
    }
    sockets.push(Listening::Unix(socket, Arc::clone(&pipe.path)));
    Ok(sockets)
}

fn bind_tcp(mut addr: SocketAddr, workers: usize, options: &Options) -> io::Result<Vec<Listening>> {
    let mut sockets: Vec<TcpListener> = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = match sockets.first() {
            Some(first) if !options.reuse_port => first.try_clone()?,
            _ => bind_one(addr, options)?,
        };
        addr = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets.into_iter().map(Listening::Tcp).collect())
}

/// A socket that listens already, for each worker, with another backlog.
///
/// # Errors
///
/// What the system says.
pub fn again(socket: &Listening, workers: usize, options: &Options) -> io::Result<Vec<Listening>> {
    match socket {
        Listening::Tcp(socket) => SockRef::from(socket).listen(backlog(options))?,
        Listening::Unix(socket, _) => SockRef::from(socket).listen(backlog(options))?,
    }
    (0..workers).map(|_| socket.try_clone()).collect()
}

fn backlog(options: &Options) -> i32 {
    i32::try_from(options.backlog).unwrap_or(i32::MAX)
}

/// Whether an address can be bound: it is, and let go of at once. Nobody is let in meanwhile.
///
/// # Errors
///
/// As [`bind`].
pub fn check(address: &Address, options: &Options) -> io::Result<()> {
    match address {
        Address::Socket(addr) => bound(*addr, options).map(drop),
        // What lies at a path may be left over: who listens there finds out, and removes it.
        Address::Pipe(_) => Ok(()),
        Address::Name { .. } => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "expected an IP address",
        )),
    }
}

fn bind_one(addr: SocketAddr, options: &Options) -> io::Result<TcpListener> {
    let socket = bound(addr, options)?;
    socket.listen(backlog(options))?;
    Ok(socket.into())
}

fn bound(addr: SocketAddr, options: &Options) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        // Two processes must not share a port by accident: an address already taken by a
        // listener that does not share is still refused by the system.
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if options.transparent {
        option::set_transparent(&socket, addr)?;
    }
    if options.freebind {
        match addr {
            SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
            SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
