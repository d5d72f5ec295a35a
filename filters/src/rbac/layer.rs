//! The layer.

use std::sync::Arc;

use tandem_core::HttpService;
use tandem_core::stats::Scope;
use tandem_model::filter::rbac::Rbac as Config;
use tower::Layer;

use super::Rbac;
use super::stats::Stats;

/// Wraps services in [`Rbac`].
#[derive(Clone, Debug)]
pub struct RbacLayer {
    config: Arc<Config>,
    stats: Arc<Stats>,
}

impl RbacLayer {
    /// Guards by what `config` says; counts in the connection manager's scope.
    pub fn new(config: Arc<Config>, scope: &Scope) -> Self {
        let stats = Arc::new(Stats::new(&config, scope));
        Self { config, stats }
    }
}

impl Layer<HttpService> for RbacLayer {
    type Service = Rbac;

    fn layer(&self, inner: HttpService) -> Rbac {
        Rbac {
            inner,
            config: Arc::clone(&self.config),
            stats: Arc::clone(&self.stats),
        }
    }
}
