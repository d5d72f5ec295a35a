//! Logs whose entries are sent to a service (`extensions.access_loggers.grpc.v3`).

use std::sync::Arc;
use std::time::Duration;

use crate::config_source::ControlPlane;
use crate::format::HeaderKey;

/// An access-log service and what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrpcLog {
    /// The log's name, which the service is told once for each stream (`log_name`).
    pub name: Arc<str>,
    /// The service.
    pub service: ControlPlane,
    /// Longest time that entries are collected before they are sent; default 1 s.
    pub flush_interval: Duration,
    /// Entries are sent when they have so many bytes, and lost when so many wait and none can be
    /// sent; default 16 KiB. Zero: each at once.
    pub buffer_bytes: usize,
    /// What the entries are about.
    pub entries: Entries,
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entries {
    /// A request (`HttpGrpcAccessLogConfig`).
    Http(LoggedHeaders),
    /// A TCP connection (`TcpGrpcAccessLogConfig`).
    Tcp,
}

/// Headers that entries have besides those that all have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoggedHeaders {
    /// Of requests, as they went to the upstream.
    pub request: Vec<LoggedHeader>,
    /// Of responses, as they went to the client.
    pub response: Vec<LoggedHeader>,
    /// Trailers of responses.
    pub trailers: Vec<LoggedHeader>,
}

/// A header by its name in an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoggedHeader {
    /// The name, in lower case.
    pub name: Arc<str>,
    /// What it names.
    pub key: HeaderKey,
}
