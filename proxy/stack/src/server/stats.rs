//! Metrics of a connection manager's connections: `http.<stat_prefix>.downstream_cx_*`.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tandem_core::stats::{Counter, Gauge, GaugeGuard, Histogram, Scope};
use tandem_transport::metered::Meter;

use super::{End, Server};

#[derive(Debug)]
pub(super) struct Stats {
    total: Counter,
    active: Gauge,
    ssl_total: Counter,
    ssl_active: Gauge,
    http1_total: Counter,
    http1_active: Gauge,
    http2_total: Counter,
    http2_active: Gauge,
    destroy: Counter,
    destroy_remote: Counter,
    destroy_local: Counter,
    length: Histogram,
    rx_bytes: Counter,
    tx_bytes: Counter,
    pub(super) upgrades_total: Counter,
    pub(super) upgrades_active: Gauge,
    pub(super) protocol_error: Counter,
    pub(super) idle_timeout: Counter,
    pub(super) max_duration_reached: Counter,
    pub(super) max_requests_reached: Counter,
    pub(super) drain_close: Counter,
    pub(super) delayed_close_timeout: Counter,
    pub(super) header_timeout: Counter,
}

/// A connection that is counted as open.
#[derive(Debug)]
pub(super) struct Open {
    since: Instant,
    _active: GaugeGuard,
    _encrypted: Option<GaugeGuard>,
}

impl Stats {
    pub(super) fn new(scope: &Scope) -> Self {
        Self {
            total: scope.counter("downstream_cx_total"),
            active: scope.gauge("downstream_cx_active"),
            ssl_total: scope.counter("downstream_cx_ssl_total"),
            ssl_active: scope.gauge("downstream_cx_ssl_active"),
            http1_total: scope.counter("downstream_cx_http1_total"),
            http1_active: scope.gauge("downstream_cx_http1_active"),
            http2_total: scope.counter("downstream_cx_http2_total"),
            http2_active: scope.gauge("downstream_cx_http2_active"),
            destroy: scope.counter("downstream_cx_destroy"),
            destroy_remote: scope.counter("downstream_cx_destroy_remote"),
            destroy_local: scope.counter("downstream_cx_destroy_local"),
            length: scope.histogram("downstream_cx_length_ms"),
            rx_bytes: scope.counter("downstream_cx_rx_bytes_total"),
            tx_bytes: scope.counter("downstream_cx_tx_bytes_total"),
            upgrades_total: scope.counter("downstream_cx_upgrades_total"),
            upgrades_active: scope.gauge("downstream_cx_upgrades_active"),
            protocol_error: scope.counter("downstream_cx_protocol_error"),
            idle_timeout: scope.counter("downstream_cx_idle_timeout"),
            max_duration_reached: scope.counter("downstream_cx_max_duration_reached"),
            max_requests_reached: scope.counter("downstream_cx_max_requests_reached"),
            drain_close: scope.counter("downstream_cx_drain_close"),
            delayed_close_timeout: scope.counter("downstream_cx_delayed_close_timeout"),
            header_timeout: scope.counter("downstream_rq_header_timeout"),
        }
    }

    pub(super) fn open(&self, encrypted: bool) -> Open {
        self.total.inc();
        if encrypted {
            self.ssl_total.inc();
        }
        Open {
            _encrypted: encrypted.then(|| self.ssl_active.guard()),
            since: Instant::now(),
            _active: self.active.guard(),
        }
    }

    pub(super) fn open_http1(&self) -> GaugeGuard {
        self.http1_total.inc();
        self.http1_active.guard()
    }

    pub(super) fn open_http2(&self) -> GaugeGuard {
        self.http2_total.inc();
        self.http2_active.guard()
    }

    pub(super) fn closed(&self, open: Open, end: End) {
        self.destroy.inc();
        match end {
            End::Remote => self.destroy_remote.inc(),
            End::Local => self.destroy_local.inc(),
        }
        self.length.record(open.since.elapsed());
    }
}

impl Meter for Server {
    fn received(&self, n: usize) {
        self.stats.rx_bytes.add(n as u64);
    }

    fn sent(&self, n: usize) {
        self.stats.tx_bytes.add(n as u64);
    }
}

/// Adds to a number that only the connection's own task writes.
pub(super) fn add(number: &std::sync::atomic::AtomicU64, n: usize) {
    number.store(number.load(Relaxed) + n as u64, Relaxed);
}
