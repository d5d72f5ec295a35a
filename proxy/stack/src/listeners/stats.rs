//! `listener.<address>.*`, and what the inspectors count for all listeners together.

use tandem_core::stats::{Counter, Gauge, Histogram, Registry};
use tandem_transport::inspect::ClientHello;

/// The metrics of one listener.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(super) total: Counter,
    pub(super) active: Gauge,
    pub(super) destroy: Counter,
    pub(super) length: Histogram,
    /// Connections that have no chain yet.
    pub(super) pre_active: Gauge,
    pub(super) pre_timeout: Counter,
    pub(super) filter_remote_close: Counter,
    pub(super) filter_error: Counter,
    pub(super) no_filter_chain_match: Counter,
    /// Of the process: `listener_manager.total_filter_chains_draining`.
    pub(super) chains_draining: Gauge,
}

/// `tls_inspector.*`.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) client_hello_too_large: Counter,
    pub(super) not_found: Counter,
    found: Counter,
    sni_found: Counter,
    sni_not_found: Counter,
    alpn_found: Counter,
    alpn_not_found: Counter,
}

/// `http_inspector.*`.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) read_error: Counter,
    pub(super) http10: Counter,
    pub(super) http11: Counter,
    pub(super) http2: Counter,
    pub(super) not_found: Counter,
}

impl Stats {
    pub(super) fn new(stats: &Registry, prefix: &str) -> Self {
        let scope = stats.listener(prefix);
        Self {
            total: scope.counter("downstream_cx_total"),
            active: scope.gauge("downstream_cx_active"),
            destroy: scope.counter("downstream_cx_destroy"),
            length: scope.histogram("downstream_cx_length_ms"),
            pre_active: scope.gauge("downstream_pre_cx_active"),
            pre_timeout: scope.counter("downstream_pre_cx_timeout"),
            filter_remote_close: scope.counter("downstream_listener_filter_remote_close"),
            filter_error: scope.counter("downstream_listener_filter_error"),
            no_filter_chain_match: scope.counter("no_filter_chain_match"),
            chains_draining: stats
                .plain("listener_manager")
                .gauge("total_filter_chains_draining"),
        }
    }
}

impl Tls {
    pub(super) fn new(stats: &Registry) -> Self {
        let scope = stats.plain("tls_inspector");
        Self {
            client_hello_too_large: scope.counter("client_hello_too_large"),
            not_found: scope.counter("tls_not_found"),
            found: scope.counter("tls_found"),
            sni_found: scope.counter("sni_found"),
            sni_not_found: scope.counter("sni_not_found"),
            alpn_found: scope.counter("alpn_found"),
            alpn_not_found: scope.counter("alpn_not_found"),
        }
    }

    pub(super) fn found(&self, hello: &ClientHello) {
        self.found.inc();
        match hello.server_name {
            Some(_) => self.sni_found.inc(),
            None => self.sni_not_found.inc(),
        }
        match hello.has_alpn {
            true => self.alpn_found.inc(),
            false => self.alpn_not_found.inc(),
        }
    }
}

impl Http {
    pub(super) fn new(stats: &Registry) -> Self {
        let scope = stats.plain("http_inspector");
        Self {
            read_error: scope.counter("read_error"),
            http10: scope.counter("http10_found"),
            http11: scope.counter("http11_found"),
            http2: scope.counter("http2_found"),
            not_found: scope.counter("http_not_found"),
        }
    }
}
