//! How a filter is built, seen from those who do not know which filters exist.

use std::fmt;
use std::sync::Arc;

use tandem_model::filter::FilterConfig;

use crate::HttpService;
use crate::directory::Directory;
use crate::stats;

/// What a filter may use of the worker it is built on.
#[derive(Clone, Debug)]
pub struct FilterContext {
    /// Metrics of the connection manager: `http.<stat_prefix>.`.
    pub scope: stats::Scope,
    /// This worker's HTTP services, for filters that make calls of their own.
    pub directory: Directory,
}

/// Builds one filter around the rest of its chain.
///
/// The stack receives this function and never names a filter; the composition root hands in
/// the registry of all filters.
#[derive(Clone)]
pub struct BuildFilter(Arc<Build>);

type Build = dyn Fn(&FilterConfig, &FilterContext, HttpService) -> HttpService + Send + Sync;

impl BuildFilter {
    /// From a function.
    pub fn new(
        build: impl Fn(&FilterConfig, &FilterContext, HttpService) -> HttpService
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(build))
    }

    /// Wraps `inner` in the filter that `config` says.
    pub fn build(
        &self,
        config: &FilterConfig,
        context: &FilterContext,
        inner: HttpService,
    ) -> HttpService {
        (self.0)(config, context, inner)
    }
}

impl fmt::Debug for BuildFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BuildFilter")
    }
}
