//! Listeners and the filter chains they hand connections to (`config.listener.v3`).

use std::sync::Arc;

use crate::access_log::AccessLog;
use crate::tcp_proxy::TcpProxy;
use crate::{Address, HttpConnectionManager};

/// One listener (`config.listener.v3.Listener`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Unique name; an unnamed listener is named after its address.
    pub name: Arc<str>,
    /// The prefix of its metrics: `stat_prefix`, else the address with `_` for `:`.
    pub stat_prefix: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// Which of the two doors it is.
    pub traffic_direction: TrafficDirection,
    /// The chain for every accepted connection. Matching among several chains needs transport
    /// facts and comes with interception; until then there is exactly one.
    pub filter_chain: FilterChain,
    /// Soft limit of buffered bytes per connection, in bytes; default 1 MiB.
    pub per_connection_buffer_limit_bytes: u32,
    /// `listen(2)` backlog.
    pub tcp_backlog_size: u32,
    /// Share the port among workers by `SO_REUSEPORT`; default true.
    pub enable_reuse_port: bool,
    /// Logs of connections that no filter chain logs.
    pub access_logs: Vec<Arc<AccessLog>>,
}

/// On which side of the application a listener stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrafficDirection {
    /// Not said.
    #[default]
    Unspecified,
    /// Towards the application.
    Inbound,
    /// From the application.
    Outbound,
}

/// What a connection goes through (`config.listener.v3.FilterChain`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterChain {
    /// Its name, for logs; may be empty.
    pub name: Arc<str>,
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
