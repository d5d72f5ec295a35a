//! The HTTP connection manager: everything a request passes whatever its route.

mod answer;
mod body;
pub(crate) mod client;
mod client_cert;
mod follow;
mod forwarded;
mod prepare;
pub(crate) mod request;
mod rescue;
pub(crate) mod scoped;
mod stats;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod timeouts;

pub use answer::{Answer, AnswerLayer};
pub use prepare::{Prepare, PrepareLayer};
pub use rescue::{Rescue, RescueLayer};
pub(crate) use stats::Stats;
pub use stream::{Stream, StreamLayer};

use std::sync::Arc;

use tandem_core::HttpService;
use tandem_core::live::Live;
use tandem_model::hcm::RouteSource;
use tandem_model::matching::RouteTable;
use tandem_model::{HttpConnectionManager, Listener};
use tower::ServiceBuilder;

use crate::Deps;
use crate::access_log::{self, AccessLogLayer, Logs};
use crate::router::{self, Router};
use follow::Follow;
use scoped::Scoped;

/// What the layers of one connection manager share.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Its configuration.
    pub(crate) manager: Arc<HttpConnectionManager>,
    /// The routes; those of the request's whole life.
    pub(crate) table: Arc<RouteTable>,
    /// The listener's name.
    pub(crate) listener: Arc<str>,
}

/// Builds the service of a connection manager, for one worker, and says by which routes it goes, if
/// they are the same for all requests.
/// Routes that come by themselves are followed.
pub fn build(
    manager: &Arc<HttpConnectionManager>,
    listener: &Listener,
    deps: &Deps,
) -> (HttpService, Option<Live<RouteTable>>) {
    let plan = Arc::new(Plan {
        manager: Arc::clone(manager),
        listener: Arc::clone(&listener.name),
        buffer_limit: listener.per_connection_buffer_limit_bytes,
        deps: deps.clone(),
    });
    match &manager.routes {
        RouteSource::Inline(config) => {
            let table = Arc::new(RouteTable::new(Arc::clone(config)));
            let service = plan.assemble(Arc::clone(&table), None).service;
            (service, Some(Live::of(table)))
        }
        RouteSource::Rds(rds) => {
            let table = deps.routes.table(&rds.key);
            let follow = Follow::new(table.clone(), plan);
            let service = HttpService::choosing(move |request| follow.dispatch(request));
            (service, Some(table))
        }
        RouteSource::Scoped(config) => {
            let scoped = Scoped::new(config, &plan);
            let service = HttpService::choosing(move |request| scoped.dispatch(request));
            (service, None)
        }
    }
}

/// What a connection manager's service is built from, whatever its routes.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) manager: Arc<HttpConnectionManager>,
    /// The listener's name.
    pub(crate) listener: Arc<str>,
    /// The listener's soft limit of buffered bytes.
    pub(crate) buffer_limit: u32,
    pub(crate) deps: Deps,
}

/// A connection manager's service for one route configuration.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) service: HttpService,
    router: Router,
}

impl Assembled {
    /// The routes it was built for.
    pub(crate) fn table(&self) -> &Arc<RouteTable> {
        self.router.table()
    }
}

impl Plan {
    /// Builds it; routes that are the same as `before` keep their chains.
    pub(crate) fn assemble(&self, table: Arc<RouteTable>, before: Option<&Assembled>) -> Assembled {
        let (manager, deps) = (&self.manager, &self.deps);
        let config = table.config();
        let scope = deps.stats.http(&manager.stat_prefix);
        let stats = Arc::new(Stats::new(&scope));
        let capture = access_log::capture(&manager.access_logs, router::response_formats(config));
        let logs = Logs::new(&manager.access_logs, &deps.logs, &deps.entries);
        let settings = Arc::new(Settings {
            manager: Arc::clone(manager),
            table: Arc::clone(&table),
            listener: Arc::clone(&self.listener),
        });
        let router = router::build(
            self,
            table,
            &scope,
            &stats,
            before.map(|before| &before.router),
        );
        let service = HttpService::new(
            ServiceBuilder::new()
                // 1. The record comes first: all others write into it.
                .layer(StreamLayer::new(Arc::clone(&settings), capture))
                // 2. Logged and counted is what the client saw, so outside of whatever changes it.
                .layer(AccessLogLayer::new(logs, stats))
                // 3. Answers are completed alike, those of the rescue too.
                .layer(AnswerLayer::new(Arc::clone(&settings)))
                // 4. From here on inwards everything may fail.
                .layer(RescueLayer)
                // 5. Routes and filters only ever see clean requests.
                .layer(PrepareLayer::new(settings))
                .service(router.clone()),
        );
        Assembled { service, router }
    }
}
