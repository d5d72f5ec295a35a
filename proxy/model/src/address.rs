//! Where something listens or can be reached.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A resolved or still to be resolved network address (`config.core.v3.Address`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and a port.
    Socket(SocketAddr),
    /// A DNS name and a port; only clusters that resolve names may hold it.
    Name {
        /// The host name as configured.
        host: Arc<str>,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Pipe(Pipe),
}

/// A Unix socket (`config.core.v3.Pipe`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipe {
    /// Its path; one that begins with `@` is in Linux's abstract namespace. Not empty, and
    /// without a NUL.
    pub path: Arc<str>,
    /// The file's permissions, where this is listened on; 0: the system's default.
    pub mode: u32,
}

/// The longest path of a Unix socket, in bytes, as the system has room for it.
pub const MAX_PIPE_PATH: usize = 108;

impl Address {
    /// Whether both are one place: of a Unix socket only the path counts.
    pub fn is_at(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pipe(one), Self::Pipe(other)) => one.path == other.path,
            _ => self == other,
        }
    }

    /// The IP socket address, if this is one.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Socket(addr) => Some(*addr),
            Self::Name { .. } | Self::Pipe(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(addr) => addr.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Pipe(pipe) => f.write_str(&pipe.path),
        }
    }
}
