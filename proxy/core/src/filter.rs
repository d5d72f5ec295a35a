//! How a filter is built, seen from those who do not know which filters exist.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tandem_model::filter::FilterConfig;
use tandem_model::listener::ConnectionFilter;

use crate::HttpService;
use crate::directory::Directory;
use crate::ext::ConnectionInfo;
use crate::stats;

/// What a filter may use of the worker it is built on.
#[derive(Clone, Debug)]
pub struct FilterContext {
    /// Metrics of the connection manager: `http.<stat_prefix>.`.
    pub scope: stats::Scope,
    /// This worker's HTTP services, for filters that make calls of their own.
    pub directory: Directory,
}

/// A network filter before the terminal one: it lets a connection pass or has it closed.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Whether a connection that is ready may go on.
    ///
    /// # Errors
    /// Why not, and how it is closed.
    fn admit(&self, connection: &ConnectionInfo) -> Result<(), Refused>;
}

/// A connection that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `%CONNECTION_TERMINATION_DETAILS%`.
    pub details: Cow<'static, str>,
    /// How long it stays open.
    pub delay: Option<Duration>,
}

/// Builds one filter around the rest of its chain, or one gate before it.
///
/// The stack receives these functions and never names a filter; the composition root hands in
/// the registry of all filters.
#[derive(Clone)]
pub struct BuildFilter {
    filter: Arc<Build>,
    gate: Arc<BuildGate>,
}

type Build = dyn Fn(&FilterConfig, &FilterContext, HttpService) -> HttpService + Send + Sync;
type BuildGate = dyn Fn(&ConnectionFilter, &stats::Registry) -> Arc<dyn Gate> + Send + Sync;

/// The gate of a registry that knows none: nobody passes.
#[derive(Debug)]
struct Closed;

impl Gate for Closed {
    fn admit(&self, _: &ConnectionInfo) -> Result<(), Refused> {
        Err(Refused {
            details: Cow::Borrowed("no_such_filter"),
            delay: None,
        })
    }
}

impl BuildFilter {
    /// From a function.
    pub fn new(
        build: impl Fn(&FilterConfig, &FilterContext, HttpService) -> HttpService
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            filter: Arc::new(build),
            gate: Arc::new(|_, _| Arc::new(Closed)),
        }
    }

    /// And gates by another function.
    #[must_use]
    pub fn with_gates(
        mut self,
        build: impl Fn(&ConnectionFilter, &stats::Registry) -> Arc<dyn Gate> + Send + Sync + 'static,
    ) -> Self {
        self.gate = Arc::new(build);
        self
    }

    /// The gate that `config` says.
    pub fn gate(&self, config: &ConnectionFilter, stats: &stats::Registry) -> Arc<dyn Gate> {
        (self.gate)(config, stats)
    }

    /// Wraps `inner` in the filter that `config` says.
    pub fn build(
        &self,
        config: &FilterConfig,
        context: &FilterContext,
        inner: HttpService,
    ) -> HttpService {
        (self.filter)(config, context, inner)
    }
}

impl fmt::Debug for BuildFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BuildFilter")
    }
}

/// What a filter would do to a request or a connection, for whoever asks instead of sending one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// In words; empty: nothing.
    pub says: String,
    /// It goes no further: the status of the answer.
    pub refuses: Option<http::StatusCode>,
}
