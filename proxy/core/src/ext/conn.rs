//! Facts about the downstream connection.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use http::HeaderValue;

use super::TlsFacts;

/// What is known of a downstream connection; shared by all its requests.
///
/// It has a default, with nothing known, for what stands in for a connection.
#[derive(Debug, Default)]
pub struct ConnectionInfo {
    /// Unique in the process.
    pub id: u64,
    /// The path of the Unix socket that it came by: then there are no addresses.
    pub pipe: Option<Arc<str>>,
    /// The peer's address; `None` on a Unix socket.
    pub remote: Option<SocketAddr>,
    /// Where it connected to: of a redirected connection that is where it was going.
    pub local: Option<SocketAddr>,
    /// Where a redirected connection was going, if the kernel was asked and knew.
    pub original_destination: Option<SocketAddr>,
    /// Where connections that are made on its behalf are to come from; `None`: wherever they do.
    pub source: Option<Source>,
    /// The server name that the client asked for (SNI), in lower case.
    pub server_name: Option<Arc<str>>,
    /// The application protocols that the client offered (ALPN), or the one that was found by
    /// looking at its first bytes.
    pub application_protocols: Vec<Arc<str>>,
    /// The listener's name.
    pub listener: Arc<str>,
    /// The filter chain's name.
    pub filter_chain: Arc<str>,
    /// What its handshake showed, if it came encrypted.
    pub tls: Option<Arc<TlsFacts>>,
    /// `%DOWNSTREAM_TRANSPORT_FAILURE_REASON%`: why its handshake failed.
    pub transport_failure: OnceLock<Arc<str>>,
    /// Why this side ended it (`%CONNECTION_TERMINATION_DETAILS%`), where there is a word for it.
    pub termination_details: OnceLock<Cow<'static, str>>,
    /// `%STREAM_ID%` of what has no requests: bytes that are relayed.
    pub stream_id: OnceLock<HeaderValue>,
    /// Bytes read from the socket.
    pub wire_received: AtomicU64,
    /// Bytes written to the socket.
    pub wire_sent: AtomicU64,
    /// Whether it has ended: what is then unfinished was cut off, not reset by the client.
    pub ended: AtomicBool,
}

impl ConnectionInfo {
    /// Whether it came encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

/// Where connections to endpoints come from, if that is where the client itself is.
///
/// Requests that have different ones never share a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The client's address; port 0, which is the system's to choose.
    pub address: SocketAddr,
    /// `SO_MARK` of the socket.
    pub mark: Option<u32>,
}

impl Source {
    /// What keeps the address of this client.
    pub fn of(client: SocketAddr, mark: Option<u32>) -> Self {
        let mut address = client;
        address.set_port(0);
        if let SocketAddr::V6(address) = &mut address {
            // A label of the client's packets, not of those sent for it.
            address.set_flowinfo(0);
        }
        Self { address, mark }
    }
}

/// The HTTP version of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
    /// None that is known: bytes of a TCP proxy.
    Tcp,
}

impl Protocol {
    /// As logs print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Tcp => "-",
        }
    }

    /// From the version of a request; HTTP/0.9 does not get that far.
    pub fn of(version: http::Version) -> Self {
        match version {
            http::Version::HTTP_2 => Self::Http2,
            http::Version::HTTP_10 | http::Version::HTTP_09 => Self::Http10,
            _ => Self::Http11,
        }
    }
}

#[cfg(test)]
mod tests;
