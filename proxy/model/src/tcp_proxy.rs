//! The TCP proxy (`extensions.filters.network.tcp_proxy.v3.TcpProxy`).

use std::sync::Arc;
use std::time::Duration;

use crate::access_log::AccessLog;

/// Settings of one TCP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpProxy {
    /// Prefix of its metrics.
    pub stat_prefix: Arc<str>,
    /// Where connections go.
    pub cluster: TcpCluster,
    /// Close after no byte moved for so long; default 1 h, `None` is never.
    pub idle_timeout: Option<Duration>,
    /// Close after so long however busy; `None` is never.
    pub max_downstream_connection_duration: Option<Duration>,
    /// How often to try to connect; default 1.
    pub max_connect_attempts: u32,
    /// Its access logs.
    pub access_logs: Vec<Arc<AccessLog>>,
}

/// The cluster specifier of a TCP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpCluster {
    /// Always this one.
    Cluster(Arc<str>),
    /// One of several, by weight (each weight is at least 1).
    Weighted(Vec<(Arc<str>, u32)>),
}
