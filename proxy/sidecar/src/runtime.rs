//! The runtime APIs of this process: one set of components and subscriptions for each runtime
//! filter that the configuration has, whatever listeners it stands on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::StatusCode;
use tandem_api_contract::declaration::Context;
use tandem_api_server::Process;
use tandem_core::HttpService;
use tandem_core::directory::Directory;
use tandem_core::discovered::Extensions;
use tandem_core::error::LocalReply;
use tandem_core::routes::RouteTables;
use tandem_core::stats::Registry;
use tandem_filters::RuntimeFactory;
use tandem_model::bootstrap::Node;
use tandem_model::filter::runtime::Runtime;
use tandem_model::filter::{FilterConfig, PerRouteConfig};
use tandem_model::hcm::RouteSource;
use tandem_model::listener::NetworkFilter;
use tandem_model::route::RouteConfiguration;
use tandem_model::scope::{ScopeRoutes, ScopeSource};
use tandem_model::{Bootstrap, Listener};
use tandem_stack::{Deps, access_log};
use tandem_upstream::Clusters;

use crate::als;

/// Why the runtime APIs did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A component's declaration is wrong; one line for each fault.
    #[error("the components of application '{app}' are refused:\n{reason}")]
    Components {
        /// The application's id.
        app: String,
        /// What is wrong.
        reason: String,
    },
    /// The API.
    #[error(transparent)]
    Api(#[from] tandem_api_server::Error),
}

/// All of them, by their settings.
#[derive(Clone, Default)]
pub(crate) struct Runtimes(Arc<HashMap<Arc<Runtime>, Process>>);

impl Runtimes {
    /// Starts the components of every runtime filter, on the calling runtime. A back-end that
    /// is away keeps nothing else from starting; a wrong declaration keeps everything.
    pub(crate) async fn start(
        bootstrap: &Bootstrap,
        default_data_dir: Option<&Path>,
    ) -> Result<Self, Error> {
        let mut processes = HashMap::new();
        for runtime in configured(bootstrap.listeners.iter().map(|listener| &**listener)) {
            if processes.contains_key(&runtime) {
                continue;
            }
            let data_dir = match (&runtime.data_dir, default_data_dir) {
                (Some(data_dir), _) => data_dir.clone(),
                (None, Some(default)) => default.to_owned(),
                (None, None) => PathBuf::from(".tandem").join(&*runtime.app.id),
            };
            let context = Context {
                app_id: runtime.app.id.to_string(),
                namespace: std::env::var("NAMESPACE").ok(),
                pod_name: std::env::var("POD_NAME").unwrap_or_default(),
                data_dir,
            };
            let registry = tandem_api_components::load(&runtime.resources_paths, &context)
                .map_err(|faults| Error::Components {
                    app: runtime.app.id.to_string(),
                    reason: faults.to_string(),
                })?;
            let process = Process::start(Arc::clone(&runtime), registry).await?;
            processes.insert(runtime, process);
        }
        Ok(Self(Arc::new(processes)))
    }

    /// Ends what would last: subscriptions and watches of health.
    pub(crate) fn close(&self) {
        self.0.values().for_each(Process::close);
    }

    /// Waits, after [`close`](Self::close), for the applications' answers to what they have in hand.
    pub(crate) async fn finished(&self) {
        for process in self.0.values() {
            process.finished().await;
        }
    }

    /// Refuses listeners with runtime filters that were not started: components and
    /// subscriptions begin with the process.
    pub(crate) fn check(&self, listener: &Listener) -> Result<(), String> {
        let mut wanted = configured(std::iter::once(listener)).into_iter();
        match wanted.find(|runtime| !self.0.contains_key(runtime)) {
            None => Ok(()),
            Some(runtime) => Err(format!(
                "the runtime filter of application '{}' must also stand, with the same settings, \
                 on a listener of the bootstrap",
                runtime.app.id
            )),
        }
    }

    /// What a worker's paths are built with; called on the worker.
    pub(crate) fn deps(
        &self,
        clusters: Clusters,
        stats: Registry,
        directory: Directory,
        (routes, extensions): (RouteTables, Extensions),
        logs: access_log::Sinks,
        node: Node,
    ) -> Deps {
        let runtimes = self.clone();
        let factory: RuntimeFactory =
            Arc::new(
                move |runtime, context, next| match runtimes.0.get(runtime) {
                    Some(process) => process.layer(&context.directory, next),
                    None => unknown(runtime),
                },
            );
        let filters = tandem_filters::Registry::new(factory).into_builder();
        let entries = als::sinks(clusters.clone(), &stats, node);
        Deps {
            entries,
            clusters,
            stats,
            filters,
            directory,
            routes,
            extensions,
            logs,
        }
    }
}

/// Answers for a filter that was not started; routes that came by themselves may name one.
fn unknown(runtime: &Runtime) -> HttpService {
    let body = format!(
        "runtime filter of application '{}' was not started",
        runtime.app.id
    );
    HttpService::choosing(move |_| {
        let reply = LocalReply::new(
            StatusCode::SERVICE_UNAVAILABLE,
            body.clone(),
            "runtime_filter_unknown",
        );
        Box::pin(std::future::ready(Err(tandem_core::Error::reply(reply))))
    })
}

/// All runtime filters of these listeners.
fn configured<'a>(listeners: impl Iterator<Item = &'a Listener>) -> Vec<Arc<Runtime>> {
    let mut found = Vec::new();
    let mut add = |config: &FilterConfig| {
        if let FilterConfig::Runtime(runtime) = config {
            found.push(Arc::clone(runtime));
        }
    };
    for chain in listeners.flat_map(Listener::chains) {
        let NetworkFilter::Http(manager) = &chain.filter else {
            continue;
        };
        manager
            .http_filters
            .iter()
            .filter_map(|filter| filter.config.inline())
            .for_each(&mut add);
        let levels = inline(&manager.routes).into_iter().flat_map(|routes| {
            let hosts = &routes.virtual_hosts;
            let routes_of = hosts.iter().flat_map(|host| &host.routes);
            std::iter::once(&routes.filters)
                .chain(hosts.iter().map(|host| &host.filters))
                .chain(routes_of.map(|route| &route.filters))
        });
        for per_route in levels.flatten() {
            if let PerRouteConfig::Override(config) = &per_route.config {
                add(config);
            }
        }
    }
    found
}

/// The route configurations that stand in a connection manager.
fn inline(source: &RouteSource) -> Vec<&RouteConfiguration> {
    match source {
        RouteSource::Inline(config) => vec![config],
        RouteSource::Scoped(scoped) => match &scoped.scopes {
            ScopeSource::Inline(all) => (all.iter())
                .filter_map(|scope| match &scope.routes {
                    ScopeRoutes::Inline(config) => Some(&**config),
                    ScopeRoutes::Named(_) => None,
                })
                .collect(),
            ScopeSource::Srds(_) => Vec::new(),
        },
        RouteSource::Rds(_) => Vec::new(),
    }
}
