//! How connections to endpoints are made and spoken over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::Label;
use crate::hcm::Http2Options;
use crate::tls::UpstreamTransport;

/// How HTTP is spoken upstream (`extensions.upstreams.http.v3.HttpProtocolOptions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamHttp {
    /// Which version.
    pub protocol: UpstreamProtocol,
    /// Idle time of a pooled connection; default 1 h, `None`: no limit.
    pub idle_timeout: Option<Duration>,
    /// Longest life of a connection; `None`: no limit.
    pub max_connection_duration: Option<Duration>,
    /// Longest life of a stream; `None`: no limit.
    pub max_stream_duration: Option<Duration>,
    /// Most requests per connection; 0: no limit.
    pub max_requests_per_connection: u32,
    /// Most response headers; default 100.
    pub max_headers_count: u32,
    /// Largest response header section in KiB; default 60 for HTTP/1 and HTTP/2.
    pub max_response_headers_kb: u32,
    /// HTTP/2 settings.
    pub http2: Http2Options,
    /// Send the request's host as the server name of TLS.
    pub auto_sni: bool,
    /// The endpoint's certificate must be for the request's host.
    pub auto_san_validation: bool,
    /// The header to take the host from in place of `:authority`.
    pub override_auto_sni_header: Option<HeaderName>,
}

impl Default for UpstreamHttp {
    fn default() -> Self {
        Self {
            protocol: UpstreamProtocol::Http1,
            idle_timeout: Some(Duration::from_secs(3600)),
            max_connection_duration: None,
            max_stream_duration: None,
            max_requests_per_connection: 0,
            max_headers_count: 100,
            max_response_headers_kb: 60,
            http2: Http2Options::default(),
            auto_sni: false,
            auto_san_validation: false,
            override_auto_sni_header: None,
        }
    }
}

/// The HTTP version spoken upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// What the downstream request came in.
    Downstream,
    /// What the endpoint prefers of HTTP/2 and HTTP/1.1, which it says by ALPN (`auto_config`).
    Auto,
}

/// What carries connections to some endpoints (`Cluster.TransportSocketMatch`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TransportSocketMatch {
    /// Its name, for metrics.
    pub name: Arc<str>,
    /// What metadata must say, as it stands here; nothing: every endpoint matches.
    pub criteria: Vec<Label>,
    /// What carries the connections.
    pub transport: UpstreamTransport,
}

impl TransportSocketMatch {
    /// Whether what is said fits.
    pub fn matches(&self, labels: &[Label]) -> bool {
        self.criteria.iter().all(|wanted| labels.contains(wanted))
    }
}

/// TCP keep-alive; unset values are the system's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpKeepalive {
    /// Probes before the connection counts as dead.
    pub probes: Option<u32>,
    /// Idle time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// Where connections come from (`upstream_bind_config`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bind {
    /// Source addresses, the default one first. The first of the endpoint's family is taken,
    /// else the default; port 0: any.
    pub sources: Vec<SocketAddr>,
    /// `SO_MARK` of the sockets, as TPROXY's routing rules want it.
    pub mark: Option<u32>,
}
