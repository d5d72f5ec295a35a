//! The layer and its metrics.

use std::sync::Arc;

use tandem_core::HttpService;
use tandem_core::stats::{Counter, Gauge, Scope};
use tandem_model::filter::fault::Fault as Config;
use tower::Layer;

use super::Fault;

/// Wraps services in [`Fault`].
#[derive(Clone, Debug)]
pub struct FaultLayer {
    config: Arc<Config>,
    stats: Arc<Stats>,
}

/// `http.<stat_prefix>.fault.*`.
#[derive(Debug)]
pub(super) struct Stats {
    pub(super) delays_injected: Counter,
    pub(super) aborts_injected: Counter,
    pub(super) faults_overflow: Counter,
    pub(super) active_faults: Gauge,
}

impl FaultLayer {
    /// Injects what `config` says; counts in the connection manager's scope.
    pub fn new(config: Arc<Config>, scope: &Scope) -> Self {
        let stats = Arc::new(Stats {
            delays_injected: scope.counter("fault.delays_injected"),
            aborts_injected: scope.counter("fault.aborts_injected"),
            faults_overflow: scope.counter("fault.faults_overflow"),
            active_faults: scope.gauge_kept("fault.active_faults"),
        });
        Self { config, stats }
    }
}

impl Layer<HttpService> for FaultLayer {
    type Service = Fault;

    fn layer(&self, inner: HttpService) -> Fault {
        Fault {
            inner,
            config: Arc::clone(&self.config),
            stats: Arc::clone(&self.stats),
        }
    }
}
