//! Where a control plane is and how it is spoken to.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::uri::Authority;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// One control plane. All its endpoints are equal: the first to be tried is drawn, the next
/// connection begins with the one after it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens; expected at least one.
    pub endpoints: Vec<Address>,
    /// How requests are framed.
    pub protocol: Protocol,
    /// Without it, bytes are sent as they are.
    pub tls: Option<Tls>,
    /// The requests' authority; the endpoint's host and port where it is not given, `localhost`
    /// for a Unix socket.
    pub authority: Option<Authority>,
    /// Sent with every request (Envoy's `initial_metadata`).
    pub headers: HeaderMap,
    /// For one address: its look-up, then its connection up to the end of the TLS handshake.
    pub connect_timeout: Duration,
    /// HTTP/2 pings, which notice a control plane that went away without a word.
    pub keep_alive: Option<KeepAlive>,
}

impl Server {
    /// HTTP/2 in plain text, 5 s to connect (Envoy's default for clusters), no pings.
    pub fn new(endpoints: impl IntoIterator<Item = Address>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            protocol: Protocol::Http2,
            tls: None,
            authority: None,
            headers: HeaderMap::new(),
            connect_timeout: Duration::from_secs(5),
            keep_alive: None,
        }
    }
}

/// Where one endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host name, looked up for every connection, or an IP address.
    Tcp {
        /// The name or the address; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket. One that begins with `@` is in Linux's abstract namespace.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How requests are framed. Nothing is negotiated: gRPC needs HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// For REST.
    Http1,
    /// For gRPC, or for REST.
    Http2,
}

/// TLS towards the control plane.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whom to trust and how to identify oneself. Where it offers no application protocols, the
    /// one spoken is offered.
    pub config: Arc<ClientConfig>,
    /// The name asked for and verified; the endpoint's host where it is not given.
    pub server_name: Option<ServerName<'static>>,
}

/// HTTP/2 pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long without a frame before a ping is sent.
    pub interval: Duration,
    /// How long to wait for its answer before the connection is closed.
    pub timeout: Duration,
}
