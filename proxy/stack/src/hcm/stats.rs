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
    /// Requests without a route.
    pub(crate) no_route: Counter,
    /// Requests answered with a redirect.
    pub(crate) rq_redirect: Counter,
    /// Requests answered at once.
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
            no_route: scope.counter("no_route"),
            rq_redirect: scope.counter("rq_redirect"),
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

    /// Records how long a request took.
    pub(crate) fn ended(&self, duration: Duration) {
        self.time.record(duration);
    }
}
