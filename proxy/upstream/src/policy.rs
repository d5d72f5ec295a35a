//! What a route says about sending a request: plain data.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tandem_model::filter::router::Router;
use tandem_model::retry::RetryPolicy;

/// How a route's requests are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePolicy {
    /// From the end of the request to the end of the response; `None`: no limit.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retry: Option<Arc<RetryPolicy>>,
    /// HIGH instead of DEFAULT breaker limits.
    pub high_priority: bool,
    /// The answer when the cluster does not exist.
    pub cluster_not_found: StatusCode,
    /// Of gRPC: `grpc-timeout` in place of `timeout`, capped at this (`Some(ZERO)`: not capped).
    pub max_grpc_timeout: Option<Duration>,
    /// Subtracted from `grpc-timeout` before it takes the place of `timeout`, if it is less.
    pub grpc_timeout_offset: Option<Duration>,
    /// Use `grpc-timeout` as the stream's limit, capped at this (`Some(ZERO)`: not capped).
    pub grpc_timeout_header_max: Option<Duration>,
    /// Subtracted from `grpc-timeout` before it is the stream's limit.
    pub grpc_timeout_header_offset: Option<Duration>,
    /// Longest life of the stream, route's or connection manager's; `None` or zero: no limit.
    pub max_stream_duration: Option<Duration>,
    /// Send the endpoint's host name as the host.
    pub auto_host_rewrite: bool,
    /// Keep the old host in `x-forwarded-host` when it is rewritten.
    pub append_x_forwarded_host: bool,
    /// Add `x-envoy-attempt-count` to requests.
    pub include_attempt_count: bool,
    /// Add `x-envoy-attempt-count` to responses.
    pub attempt_count_in_response: bool,
    /// Bytes of a request body kept for another try.
    pub buffer_limit: u64,
    /// The router filter's settings.
    pub router: Router,
}

impl Default for RoutePolicy {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(15)),
            retry: None,
            high_priority: false,
            cluster_not_found: StatusCode::SERVICE_UNAVAILABLE,
            max_grpc_timeout: None,
            grpc_timeout_offset: None,
            grpc_timeout_header_max: None,
            grpc_timeout_header_offset: None,
            max_stream_duration: None,
            auto_host_rewrite: false,
            append_x_forwarded_host: false,
            include_attempt_count: false,
            attempt_count_in_response: false,
            buffer_limit: 1024 * 1024,
            router: Router::default(),
        }
    }
}
