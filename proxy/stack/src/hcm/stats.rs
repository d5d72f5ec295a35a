//! Metrics of one connection manager, under Envoy's names.

use std::time::Duration;

use http::StatusCode;
use tandem_core::ext::{Protocol, StreamInfo};
use tandem_core::stats::{CodeCounters, Counter, Gauge, GaugeGuard, Histogram, Scope};

/// `http.<stat_prefix>.downstream_rq_*` and the router's own.
#[derive(Debug)]
pub(crate) struct Stats {
    total: Counter,
    http1: Counter,
    http2: Counter,
    active: Gauge,
    completed: Counter,
    codes: CodeCounters,
    time: Histogram,
    rx_reset: Counter,
    timeout: Counter,
    idle_timeout: Counter,
    max_duration_reached: Counter,
    /// Requests without a route.
    pub(crate) no_route: Counter,
    /// Requests whose cluster is not there, or not said.
    pub(crate) no_cluster: Counter,
    /// Stays 0, as in Envoy, where a redirect is a direct response.
    _rq_redirect: Counter,
    /// Requests answered at once, redirects among them.
    pub(crate) rq_direct_response: Counter,
    /// Requests that reached the router.
    pub(crate) rq_total: Counter,
}

impl Stats {
    /// The metrics of a scope.
    pub(crate) fn new(scope: &Scope) -> Self {
        Self {
            total: scope.counter("downstream_rq_total"),
            http1: scope.counter("downstream_rq_http1_total"),
            http2: scope.counter("downstream_rq_http2_total"),
            active: scope.gauge("downstream_rq_active"),
            completed: scope.counter("downstream_rq_completed"),
            codes: scope.codes("downstream_rq"),
            time: scope.histogram("downstream_rq_time"),
            rx_reset: scope.counter("downstream_rq_rx_reset"),
            timeout: scope.counter("downstream_rq_timeout"),
            idle_timeout: scope.counter("downstream_rq_idle_timeout"),
            max_duration_reached: scope.counter("downstream_rq_max_duration_reached"),
            no_route: scope.counter("no_route"),
            no_cluster: scope.counter("no_cluster"),
            _rq_redirect: scope.counter("rq_redirect"),
            rq_direct_response: scope.counter("rq_direct_response"),
            rq_total: scope.counter("rq_total"),
        }
    }

    /// Counts a request that begins; it is active as long as the guard lives.
    pub(crate) fn begin(&self, info: &StreamInfo) -> GaugeGuard {
        self.total.inc();
        match info.protocol {
            Protocol::Http2 => self.http2.inc(),
            Protocol::Http10 | Protocol::Http11 => self.http1.inc(),
            Protocol::Tcp => {}
        }
        self.active.guard()
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        self.completed.inc();
        self.codes.record_class(status);
    }

    /// Counts a client that went away.
    pub(crate) fn reset(&self) {
        self.rx_reset.inc();
    }

    /// Records how long a request took, and which limit of time ended it, if one did.
    pub(crate) fn ended(&self, duration: Duration, details: Option<&str>) {
        self.time.record(duration);
        match details {
            Some("request_overall_timeout") => self.timeout.inc(),
            Some("stream_idle_timeout") => self.idle_timeout.inc(),
            Some("max_duration_timeout") => self.max_duration_reached.inc(),
            _ => {}
        }
    }
}
