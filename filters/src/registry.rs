//! From a filter's settings to the filter.

use std::fmt;
use std::sync::Arc;

use tandem_core::HttpService;
use tandem_core::filter::{BuildFilter, FilterContext, Gate};
use tandem_core::stats;
use tandem_model::filter::FilterConfig;
use tandem_model::filter::runtime::Runtime;
use tandem_model::listener::ConnectionFilter;
use tower::Layer as _;

use crate::compressor::CompressorLayer;
use crate::fault::FaultLayer;
use crate::rbac::{RbacGate, RbacLayer};

/// Builds the runtime filter, whose parts (components, callbacks) are the process's.
pub type RuntimeFactory =
    Arc<dyn Fn(&Arc<Runtime>, &FilterContext, HttpService) -> HttpService + Send + Sync>;

/// All filters there are.
#[derive(Clone)]
pub struct Registry {
    runtime: RuntimeFactory,
}

impl Registry {
    /// The runtime filter comes from whoever runs the components.
    pub fn new(runtime: RuntimeFactory) -> Self {
        Self { runtime }
    }

    /// Wraps `inner` in the filter that `config` says.
    pub fn build(
        &self,
        config: &FilterConfig,
        context: &FilterContext,
        inner: HttpService,
    ) -> HttpService {
        match config {
            FilterConfig::Compressor(compressor) => {
                let layer = CompressorLayer::new(Arc::clone(compressor), &context.scope);
                HttpService::new(layer.layer(inner))
            }
            FilterConfig::Fault(fault) => {
                HttpService::new(FaultLayer::new(Arc::clone(fault), &context.scope).layer(inner))
            }
            FilterConfig::Rbac(rbac) => {
                HttpService::new(RbacLayer::new(Arc::clone(rbac), &context.scope).layer(inner))
            }
            FilterConfig::Runtime(runtime) => (self.runtime)(runtime, context, inner),
        }
    }

    /// As the functions that the stack is given.
    pub fn into_builder(self) -> BuildFilter {
        BuildFilter::new(move |config, context, inner| self.build(config, context, inner))
            .with_gates(gate)
    }
}

/// The gate that `config` says.
fn gate(config: &ConnectionFilter, stats: &stats::Registry) -> Arc<dyn Gate> {
    match config {
        ConnectionFilter::Rbac(rbac) => Arc::new(RbacGate::new(Arc::clone(rbac), stats)),
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}
