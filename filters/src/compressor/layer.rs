//! The layer and its metrics.

use std::sync::Arc;

use tandem_core::HttpService;
use tandem_core::stats::{Counter, Scope};
use tandem_model::filter::compressor::Compressor as Config;
use tower::Layer;

use super::Compressor;
use super::body::Totals;

/// Wraps services in [`Compressor`].
#[derive(Clone, Debug)]
pub struct CompressorLayer {
    config: Arc<Config>,
    stats: Arc<Stats>,
}

/// `http.<stat_prefix>.compressor.<library>.<gzip|brotli|zstd>.*`.
#[derive(Debug)]
pub(super) struct Stats {
    pub(super) request: Common,
    pub(super) response: Common,
    pub(super) no_accept_header: Counter,
    pub(super) header_identity: Counter,
    pub(super) header_compressor_used: Counter,
    pub(super) header_compressor_overshadowed: Counter,
    pub(super) header_wildcard: Counter,
    pub(super) header_not_valid: Counter,
    pub(super) not_compressed_etag: Counter,
}

/// What both directions count.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) compressed: Counter,
    pub(super) not_compressed: Counter,
    pub(super) content_length_too_small: Counter,
    pub(super) totals: Totals,
}

impl Stats {
    fn new(config: &Config, scope: &Scope) -> Self {
        let prefix = format!(
            "compressor.{}.{}.",
            config.library_name,
            config.library.stat_name()
        );
        let direction = if config.response.named {
            "response."
        } else {
            ""
        };
        let response = format!("{prefix}{direction}");
        // As in Envoy, what is counted for responses only has no direction in its name.
        let counter = |name: &str| scope.counter(&format!("{prefix}{name}"));
        Self {
            request: Common::new(&format!("{prefix}request."), scope),
            response: Common::new(&response, scope),
            no_accept_header: counter("no_accept_header"),
            header_identity: counter("header_identity"),
            header_compressor_used: counter("header_compressor_used"),
            header_compressor_overshadowed: counter("header_compressor_overshadowed"),
            header_wildcard: counter("header_wildcard"),
            header_not_valid: counter("header_not_valid"),
            not_compressed_etag: counter("not_compressed_etag"),
        }
    }
}

impl Common {
    fn new(prefix: &str, scope: &Scope) -> Self {
        let counter = |name: &str| scope.counter(&format!("{prefix}{name}"));
        Self {
            compressed: counter("compressed"),
            not_compressed: counter("not_compressed"),
            content_length_too_small: counter("content_length_too_small"),
            totals: Totals {
                uncompressed: counter("total_uncompressed_bytes"),
                compressed: counter("total_compressed_bytes"),
            },
        }
    }
}

impl CompressorLayer {
    /// Compresses as `config` says; counts in the connection manager's scope.
    pub fn new(config: Arc<Config>, scope: &Scope) -> Self {
        let stats = Arc::new(Stats::new(&config, scope));
        Self { config, stats }
    }
}

impl Layer<HttpService> for CompressorLayer {
    type Service = Compressor;

    fn layer(&self, inner: HttpService) -> Compressor {
        Compressor {
            inner,
            config: Arc::clone(&self.config),
            stats: Arc::clone(&self.stats),
        }
    }
}
