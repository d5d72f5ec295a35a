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
}

impl Address {
    /// The IP socket address, if this is one.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Socket(addr) => Some(*addr),
            Self::Name { .. } => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(addr) => addr.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
