//! The router filter's own settings (`extensions.filters.http.router.v3.Router`).

/// Settings of the router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Router {
    /// Do not add `x-envoy-*` headers to requests and responses.
    pub suppress_envoy_headers: bool,
    /// Refuse requests whose `x-envoy-*` control headers are malformed: those named here.
    pub strict_check_headers: Vec<http::HeaderName>,
    /// Add `x-envoy-expected-rq-timeout-ms` from the upstream's point of view as received.
    pub respect_expected_rq_timeout: bool,
}
