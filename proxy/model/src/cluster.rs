//! Clusters: groups of endpoints and how to choose among them (`config.cluster.v3.Cluster`).

use std::sync::Arc;
use std::time::Duration;

use crate::bootstrap::Locality;
use crate::hcm::Http2Options;
use crate::{Address, Percent};

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its unique name.
    pub name: Arc<str>,
    /// The name its metrics use: `alt_stat_name`, else its name.
    pub stat_name: Arc<str>,
    /// How endpoints are found.
    pub discovery: Discovery,
    /// The endpoints as configured (names still unresolved for DNS clusters).
    pub load_assignment: LoadAssignment,
    /// Time to connect; default 5 s.
    pub connect_timeout: Duration,
    /// How an endpoint is chosen.
    pub lb_policy: LbPolicy,
    /// Below this share of healthy hosts health is ignored; default 50 %.
    pub healthy_panic_threshold: Percent,
    /// Limits of the DEFAULT priority.
    pub circuit_breakers: Thresholds,
    /// Limits of the HIGH priority.
    pub circuit_breakers_high: Thresholds,
    /// Passive health checks; `None`: off.
    pub outlier_detection: Option<OutlierDetection>,
    /// How HTTP is spoken to the endpoints.
    pub http: UpstreamHttp,
    /// Soft limit of buffered bytes per connection, in bytes; default 1 MiB.
    pub per_connection_buffer_limit_bytes: u32,
    /// TCP keep-alive of upstream connections; `None`: off.
    pub tcp_keepalive: Option<TcpKeepalive>,
}

/// `Cluster.type`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Discovery {
    /// Fixed IP addresses.
    Static,
    /// All addresses that the names resolve to, refreshed.
    StrictDns {
        /// Refresh interval; default 5 s.
        refresh_rate: Duration,
        /// Use the record's TTL as the interval.
        respect_dns_ttl: bool,
        /// Which address families to use.
        lookup_family: DnsLookupFamily,
    },
}

/// `dns_lookup_family`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DnsLookupFamily {
    /// IPv6, then IPv4 if there is none (default).
    #[default]
    Auto,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
    /// IPv4, then IPv6 if there is none.
    V4Preferred,
    /// Both.
    All,
}

/// The endpoints of a cluster (`config.endpoint.v3.ClusterLoadAssignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadAssignment {
    /// Groups in configuration order.
    pub localities: Vec<LocalityEndpoints>,
    /// Overprovisioning factor in percent; default 140.
    pub overprovisioning_factor: u32,
}

/// Endpoints of one locality and priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalityEndpoints {
    /// Where they are.
    pub locality: Locality,
    /// 0 is the highest.
    pub priority: u32,
    /// Weight of the locality; `None`: not set.
    pub weight: Option<u32>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint (`config.endpoint.v3.LbEndpoint`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where it is.
    pub address: Address,
    /// Its host name, for `auto_host_rewrite`; may be empty.
    pub hostname: Arc<str>,
    /// Load-balancing weight; default 1.
    pub weight: u32,
    /// What the control plane says of its health.
    pub health: EndpointHealth,
}

/// `health_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EndpointHealth {
    /// Usable.
    #[default]
    Healthy,
    /// Not usable.
    Unhealthy,
    /// Usable only when nothing healthy is left.
    Degraded,
    /// Not usable for new requests.
    Draining,
}

/// `lb_policy`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LbPolicy {
    /// In turn, by weight.
    RoundRobin,
    /// The least busy of `choice_count` random ones.
    LeastRequest {
        /// How many to compare; default 2.
        choice_count: u32,
    },
    /// Any, by weight.
    Random,
}

/// Circuit-breaker limits of one priority (`config.cluster.v3.CircuitBreakers.Thresholds`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thresholds {
    /// Upstream connections; default 1024.
    pub max_connections: u32,
    /// Requests that wait for a connection; default 1024.
    pub max_pending_requests: u32,
    /// Requests under way; default 1024.
    pub max_requests: u32,
    /// Retries under way; default 3; not used with a retry budget.
    pub max_retries: u32,
    /// Limit retries to a share of requests instead.
    pub retry_budget: Option<RetryBudget>,
    /// Publish the remaining-resource gauges.
    pub track_remaining: bool,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            retry_budget: None,
            track_remaining: false,
        }
    }
}

/// `Thresholds.retry_budget`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryBudget {
    /// Share of active and pending requests that may be retries; default 20 %.
    pub budget_percent: Percent,
    /// Always allowed; default 3.
    pub min_retry_concurrency: u32,
}

/// Passive health checking (`config.cluster.v3.OutlierDetection`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutlierDetection {
    /// Consecutive 5xx (and local failures) before ejection; default 5; 0: never.
    pub consecutive_5xx: u32,
    /// Chance in percent that such an ejection is carried out; default 100.
    pub enforcing_consecutive_5xx: u32,
    /// Consecutive 502, 503, 504 (and local failures); default 5.
    pub consecutive_gateway_failure: u32,
    /// Chance in percent; default 0.
    pub enforcing_consecutive_gateway_failure: u32,
    /// Consecutive failures that were not answers (connect, reset, timeout); default 5. Only
    /// with `split_external_local_origin_errors`.
    pub consecutive_local_origin_failure: u32,
    /// Chance in percent; default 100.
    pub enforcing_consecutive_local_origin_failure: u32,
    /// Count local failures apart from 5xx answers.
    pub split_external_local_origin_errors: bool,
    /// How often ejected hosts are looked at; default 10 s.
    pub interval: Duration,
    /// Ejection time, multiplied by how often the host was ejected; default 30 s.
    pub base_ejection_time: Duration,
    /// Longest ejection time; default 300 s or `base_ejection_time`, whichever is longer.
    pub max_ejection_time: Duration,
    /// Random addition to each ejection time; default 0.
    pub max_ejection_time_jitter: Duration,
    /// Most hosts ejected, in percent; default 10. One host may always be ejected.
    pub max_ejection_percent: u32,
}

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
