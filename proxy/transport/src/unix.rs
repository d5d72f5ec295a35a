//! Unix sockets, as what carries connections like any other.
//!
//! Reading, writing, peeking and shutting down are the same system calls for every stream
//! socket, and only those are used of [`TcpStream`] where connections are served. So a Unix
//! socket is one: nothing above knows the difference, and a TCP connection pays nothing for it.
//! What TCP alone has (its options, addresses with ports) such a socket answers with an error.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};
use tandem_model::Pipe;
use tokio::net::TcpStream;

/// Connects; the system does that at once or not at all.
///
/// # Errors
///
/// What the system says: nobody listens, no such file, no right to it, too many are waiting.
pub(crate) fn connect(pipe: &Pipe, mark: Option<u32>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if let Some(mark) = mark {
        socket.set_mark(mark)?;
    }
    socket.connect(&address(pipe)?)?;
    stream(OwnedFd::from(socket))
}

/// A connection that was accepted.
pub(crate) fn accepted(socket: UnixStream) -> io::Result<TcpStream> {
    socket.set_nonblocking(true)?;
    stream(OwnedFd::from(socket))
}

fn stream(socket: OwnedFd) -> io::Result<TcpStream> {
    TcpStream::from_std(std::net::TcpStream::from(socket))
}

/// Listens. The socket that an earlier process left at the path gives way, as under Envoy; what
/// is no socket stays, and is the system's to refuse.
///
/// # Errors
///
/// What the system says.
pub(crate) fn listen(pipe: &Pipe, backlog: i32) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let is_file = !pipe.path.starts_with('@');
    let path = Path::new(&*pipe.path);
    if is_file && fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        // If it cannot go, binding says why.
        let _ = fs::remove_file(path);
    }
    socket.bind(&address(pipe)?)?;
    if is_file && pipe.mode != 0 {
        // Before anybody can connect.
        fs::set_permissions(path, Permissions::from_mode(pipe.mode))?;
    }
    socket.listen(backlog)?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// As the system knows it: a leading `@` stands for the NUL of the abstract namespace.
pub(crate) fn address(pipe: &Pipe) -> io::Result<SockAddr> {
    match pipe.path.strip_prefix('@') {
        Some(name) => SockAddr::unix(Path::new(&format!("\0{name}"))),
        None => SockAddr::unix(Path::new(&*pipe.path)),
    }
}
