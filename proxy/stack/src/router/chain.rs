//! Building a route's chain: the connection manager's filters around the route's action.

use std::borrow::Cow;
use std::sync::Arc;

use tandem_core::HttpService;
use tandem_core::error::Kind;
use tandem_core::filter::FilterContext;
use tandem_core::stats::Scope;
use tandem_core::{BoxFuture, Error, Request, Response};
use tandem_model::HttpConnectionManager;
use tandem_model::filter::{FilterConfig, FilterSource, PerRouteConfig, PerRouteFilter};
use tandem_model::matching::Found;
use tandem_model::route::{Action, ClusterSpecifier, RouteConfiguration};
use tower::service_fn;

use super::discovered::{self, Discovered};
use super::terminal;
use crate::Deps;
use crate::hcm::{Plan, Stats};

/// What chains are built with.
#[derive(Debug)]
pub(super) struct Chains {
    manager: Arc<HttpConnectionManager>,
    config: Arc<RouteConfiguration>,
    buffer_limit: u32,
    deps: Deps,
    context: FilterContext,
    stats: Arc<Stats>,
}

impl Chains {
    pub(super) fn new(
        plan: &Plan,
        config: &Arc<RouteConfiguration>,
        scope: &Scope,
        stats: Arc<Stats>,
    ) -> Self {
        let context = FilterContext {
            scope: scope.clone(),
            directory: plan.deps.directory.clone(),
        };
        Self {
            manager: Arc::clone(&plan.manager),
            config: Arc::clone(config),
            buffer_limit: plan.buffer_limit,
            deps: plan.deps.clone(),
            context,
            stats,
        }
    }

    /// Counts a request whose route does not say which cluster.
    pub(super) fn unchosen(&self) {
        self.stats.rq_total.inc();
        self.stats.no_cluster.inc();
    }

    /// The chain of requests without a route: filters see them too, then they are refused.
    pub(super) fn unrouted(&self) -> HttpService {
        let stats = Arc::clone(&self.stats);
        let terminal = HttpService::new(service_fn(
            move |_: Request| -> BoxFuture<Result<Response, Error>> {
                stats.rq_total.inc();
                stats.no_route.inc();
                Box::pin(std::future::ready(Err(Error::new(Kind::NoRoute))))
            },
        ));
        // As in Envoy: without a route, no level says anything of the filters.
        self.wrap(terminal, &[])
    }

    /// The chain of a route (and of one of its weighted clusters).
    pub(super) fn build(&self, found: Found, choice: usize) -> HttpService {
        let config = &*self.config;
        let host = &config.virtual_hosts[found.host];
        let Some(route) = found.route.and_then(|route| host.routes.get(route)) else {
            return self.unrouted();
        };
        let weighted = match &route.action {
            Action::Route(action) => match &action.cluster {
                ClusterSpecifier::Weighted { clusters, .. } => clusters.get(choice),
                ClusterSpecifier::Cluster(_) | ClusterSpecifier::Header(_) => None,
            },
            _ => None,
        };
        let terminal = terminal::build(&terminal::Place {
            manager: &self.manager,
            config,
            host,
            route,
            weighted,
            buffer_limit: self.buffer_limit,
            clusters: &self.deps.clusters,
            stats: &self.stats,
        });
        let none: &[PerRouteFilter] = &[];
        let levels = [
            weighted.map_or(none, |weighted| &weighted.filters),
            &route.filters,
            &host.filters,
            &config.filters,
        ];
        self.wrap(terminal, &levels)
    }

    /// Wraps filters around a service; the most specific level that names a filter decides.
    fn wrap(&self, terminal: HttpService, levels: &[&[PerRouteFilter]]) -> HttpService {
        let mut service = terminal;
        for filter in self.manager.http_filters.iter().rev() {
            let said = said(&filter.name, levels);
            service = match &filter.config {
                FilterSource::Inline(config) => match effective(config, said, filter.disabled) {
                    Some(config) => self.deps.filters.build(&config, &self.context, service),
                    None => service,
                },
                FilterSource::Discovered(discovery) => discovered::wrap(
                    Discovered {
                        discovery: Arc::clone(discovery),
                        said: said.cloned(),
                        disabled: filter.disabled,
                        filters: self.deps.filters.clone(),
                        context: self.context.clone(),
                        next: service,
                    },
                    self.deps.extensions.of(&discovery.need.key),
                ),
            };
        }
        service
    }
}

/// What is said of a filter on a route: the first level that names it decides.
pub(crate) fn said<'a>(name: &str, levels: &[&'a [PerRouteFilter]]) -> Option<&'a PerRouteConfig> {
    let named = |level: &&'a [PerRouteFilter]| {
        let mut filters = level.iter();
        filters.find(|filter| *filter.name == *name)
    };
    levels.iter().find_map(named).map(|filter| &filter.config)
}

/// Whether a filter is not there at a route, whatever its settings.
pub(crate) fn is_skipped(said: Option<&PerRouteConfig>, disabled: bool) -> bool {
    match said {
        Some(said) => *said == PerRouteConfig::Disabled,
        None => disabled,
    }
}

/// The settings that hold at a route, if the filter is to be there.
pub(crate) fn effective<'a>(
    listed: &'a FilterConfig,
    said: Option<&PerRouteConfig>,
    disabled: bool,
) -> Option<Cow<'a, FilterConfig>> {
    match said {
        Some(PerRouteConfig::Disabled) => None,
        Some(PerRouteConfig::Enabled) => Some(Cow::Borrowed(listed)),
        Some(PerRouteConfig::Override(own)) => Some(Cow::Owned(listed.overridden(own))),
        None => (!disabled).then_some(Cow::Borrowed(listed)),
    }
}
