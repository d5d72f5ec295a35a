//! `tcp.<stat_prefix>.*`.

use tandem_core::stats::{Counter, Scope};
use tandem_transport::metered::Meter;

#[derive(Debug)]
pub(super) struct Stats {
    pub(super) total: Counter,
    pub(super) no_route: Counter,
    rx_bytes: Counter,
    tx_bytes: Counter,
    pub(super) idle_timeout: Counter,
    pub(super) max_duration: Counter,
    pub(super) attempts_exceeded: Counter,
}

impl Stats {
    pub(super) fn new(scope: &Scope) -> Self {
        Self {
            total: scope.counter("downstream_cx_total"),
            no_route: scope.counter("downstream_cx_no_route"),
            rx_bytes: scope.counter("downstream_cx_rx_bytes_total"),
            tx_bytes: scope.counter("downstream_cx_tx_bytes_total"),
            idle_timeout: scope.counter("idle_timeout"),
            max_duration: scope.counter("max_downstream_connection_duration"),
            attempts_exceeded: scope.counter("upstream_cx_connect_attempts_exceeded"),
        }
    }
}

impl Meter for Stats {
    fn received(&self, n: usize) {
        self.rx_bytes.add(n as u64);
    }

    fn sent(&self, n: usize) {
        self.tx_bytes.add(n as u64);
    }
}
