//! Clusters: groups of endpoints and how to choose among them (`config.cluster.v3.Cluster`).

mod connection;
mod discovery;
mod endpoint;
mod labels;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::Percent;
use crate::tls::{CommonTls, UpstreamTransport};

pub use connection::{Bind, TcpKeepalive, TransportSocketMatch, UpstreamHttp, UpstreamProtocol};
pub use discovery::{Destination, Discovery, Dns, DnsLookupFamily, FailureRefresh, OriginalDst};
pub use endpoint::{Endpoint, EndpointHealth, LoadAssignment, LocalityEndpoints};
pub use labels::{Label, LabelValue, Labels, Number};

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
    /// Whether the weights of localities count (`locality_weighted_lb_config`).
    pub locality_weighted: bool,
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
    /// What carries connections to endpoints that none of the next match.
    pub transport_socket: UpstreamTransport,
    /// What carries connections to endpoints by their metadata; the first that matches.
    pub transport_socket_matches: Vec<TransportSocketMatch>,
    /// The address that connections come from; `None`: the system chooses.
    pub bind: Option<Arc<Bind>>,
}

impl Cluster {
    /// A STATIC cluster without endpoints, and with Envoy's defaults.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        Self {
            stat_name: Arc::clone(&name),
            name,
            discovery: Discovery::Static,
            load_assignment: LoadAssignment::default(),
            connect_timeout: Duration::from_secs(5),
            lb_policy: LbPolicy::RoundRobin,
            locality_weighted: false,
            healthy_panic_threshold: Percent::from_f64(50.0),
            circuit_breakers: Thresholds::default(),
            circuit_breakers_high: Thresholds::default(),
            outlier_detection: None,
            http: UpstreamHttp::default(),
            per_connection_buffer_limit_bytes: 1024 * 1024,
            tcp_keepalive: None,
            transport_socket: UpstreamTransport::Raw,
            transport_socket_matches: Vec::new(),
            bind: None,
        }
    }
}

impl Cluster {
    /// All that its connections may be carried by.
    pub fn transports(&self) -> impl Iterator<Item = &UpstreamTransport> {
        let by_match = self.transport_socket_matches.iter();
        std::iter::once(&self.transport_socket).chain(by_match.map(|one| &one.transport))
    }

    /// What carries the connections to an endpoint of which this is said, and the match that says
    /// so, if one does: the first that fits the endpoint, else the first that fits its locality.
    pub fn transport_of(
        &self,
        labels: &Labels,
    ) -> (&UpstreamTransport, Option<&TransportSocketMatch>) {
        let first = |labels: &[Label]| {
            let mut matches = self.transport_socket_matches.iter();
            matches.find(|one| one.matches(labels))
        };
        let found = first(&labels.endpoint).or_else(|| first(&labels.locality));
        (
            found.map_or(&self.transport_socket, |one| &one.transport),
            found,
        )
    }

    /// The TLS among it, whose secrets it needs.
    pub fn tls(&self) -> impl Iterator<Item = &CommonTls> {
        self.transports().filter_map(|transport| match transport {
            UpstreamTransport::Raw => None,
            UpstreamTransport::Tls(tls) => Some(&tls.common),
        })
    }
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
    /// The cluster says which: where an intercepted connection was going.
    ClusterProvided,
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
    /// Most hosts ejected, in percent; default 10. Of few hosts that may be less than one.
    pub max_ejection_percent: u32,
    /// Whether one host may be ejected whatever the percentage; default no.
    pub always_eject_one_host: bool,
    /// Who succeeds far less often than the others.
    pub success_rate: SuccessRate,
    /// Who fails too often, however the others do.
    pub failure_percentage: FailurePercentage,
}

/// `OutlierDetection.success_rate_*`: of one interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SuccessRate {
    /// Hosts of whom enough must be known; default 5.
    pub minimum_hosts: u32,
    /// Requests that are enough; default 100.
    pub request_volume: u32,
    /// How far below the average, in thousandths of the standard deviation; default 1900.
    pub stdev_factor: u32,
    /// Chance in percent that such an ejection is carried out, by answers and by local failures;
    /// default 100.
    pub enforcing: [u32; 2],
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self {
            minimum_hosts: 5,
            request_volume: 100,
            stdev_factor: 1900,
            enforcing: [100; 2],
        }
    }
}

/// `OutlierDetection.failure_percentage_*`: of one interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FailurePercentage {
    /// Hosts of whom enough must be known; default 5.
    pub minimum_hosts: u32,
    /// Requests that are enough; default 50.
    pub request_volume: u32,
    /// Percentage of failures from which on a host is ejected; default 85.
    pub threshold: u32,
    /// Chance in percent that such an ejection is carried out, by answers and by local failures;
    /// default 0.
    pub enforcing: [u32; 2],
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self {
            minimum_hosts: 5,
            request_volume: 50,
            threshold: 85,
            enforcing: [0; 2],
        }
    }
}
