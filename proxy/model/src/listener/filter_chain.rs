//! What a connection goes through, and which connections those are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::HttpConnectionManager;
use crate::cidr::Cidr;
use crate::filter::rbac::ConnectionRbac;
use crate::tcp_proxy::TcpProxy;
use crate::tls::DownstreamTls;

/// What a connection goes through (`config.listener.v3.FilterChain`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterChain {
    /// Its name, for logs; may be empty.
    pub name: Arc<str>,
    /// Which connections it is for; of a default chain this says nothing.
    pub matches: FilterChainMatch,
    /// What carries its connections; `None`: plain bytes.
    pub transport_socket: Option<Arc<DownstreamTls>>,
    /// How long the transport's handshake may take; `None`: no limit of its own.
    pub transport_socket_connect_timeout: Option<Duration>,
    /// The network filters before the terminal one, in order.
    pub network_filters: Vec<ConnectionFilter>,
    /// The terminal network filter.
    pub filter: NetworkFilter,
}

/// The terminal network filters that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkFilter {
    /// `envoy.filters.network.http_connection_manager`.
    Http(Arc<HttpConnectionManager>),
    /// `envoy.filters.network.tcp_proxy`.
    Tcp(Arc<TcpProxy>),
}

/// The network filters that exist beside the terminal ones: they look at a connection and let
/// it pass or close it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionFilter {
    /// `envoy.filters.network.rbac`.
    Rbac(Arc<ConnectionRbac>),
}

/// Which connections a chain is for (`config.listener.v3.FilterChainMatch`). What is empty is
/// not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FilterChainMatch {
    /// The port connected to.
    pub destination_port: Option<u16>,
    /// The address connected to lies in one of them.
    pub prefix_ranges: Vec<Cidr>,
    /// The server name asked for (SNI).
    pub server_names: Vec<ServerName>,
    /// What carries the connection: `tls`, `raw_buffer`; a word that no listener filter knows
    /// never matches.
    pub transport_protocol: Option<Arc<str>>,
    /// One of these was offered (ALPN) or found by looking.
    pub application_protocols: Vec<Arc<str>>,
    /// The address of the peer lies in one of them.
    pub direct_source_prefix_ranges: Vec<Cidr>,
    /// Where the client is.
    pub source_type: SourceType,
    /// The address of the client lies in one of them.
    pub source_prefix_ranges: Vec<Cidr>,
    /// The client's port is one of them.
    pub source_ports: Vec<u16>,
}

/// A server name as chains ask for it, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerName {
    /// This name.
    Exact(Arc<str>),
    /// All names that end like this: `*.example.com` is `.example.com`.
    Suffix(Arc<str>),
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// Where a client is (`FilterChainMatch.ConnectionSourceType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceType {
    /// Anywhere.
    #[default]
    Any,
    /// On this host: its address is 127.0.0.1, `::1`, or the one it connected to.
    SameIpOrLoopback,
    /// On another host.
    External,
}
