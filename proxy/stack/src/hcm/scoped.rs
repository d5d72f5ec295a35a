//! Routes that a request's headers choose.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tandem_core::ext::ConnectionInfo;
use tandem_core::live::{Current, Live};
use tandem_core::scopes::ScopeTable;
use tandem_core::{BoxFuture, Error, Request, Response, authority, grpc};
use tandem_model::HttpConnectionManager;
use tandem_model::hcm::{EscapedSlashes, StripPort};
use tandem_model::headers::MatchedHeader;
use tandem_model::matching::{RequestView, RouteTable};
use tandem_model::scope::{ScopeSource, ScopedRoutes};

use super::follow::Follow;
use super::{Plan, request};

/// Takes every request through the routes of its scope; one without a scope meets no route.
///
/// As in Envoy, the scope goes by the path and the host that the request is routed by.
#[derive(Debug)]
pub(super) struct Scoped {
    config: Arc<ScopedRoutes>,
    source: Live<ScopeTable>,
    plan: Arc<Plan>,
    current: Live<Index>,
    unrouted: Follow,
    /// For requests that came without a connection (made within the process).
    nowhere: Arc<ConnectionInfo>,
}

/// This worker's services by their scopes' keys, built when they are first used.
#[derive(Debug)]
struct Index {
    table: Arc<ScopeTable>,
    by_key: HashMap<Box<str>, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    routes: Live<RouteTable>,
    service: OnceLock<Follow>,
}

impl Scoped {
    pub(super) fn new(config: &Arc<ScopedRoutes>, plan: &Arc<Plan>) -> Self {
        let routes = &plan.deps.routes;
        let source = match &config.scopes {
            ScopeSource::Inline(all) => Live::new(routes.inline_scopes(all, config.rds.as_ref())),
            ScopeSource::Srds(_) => match config.followed() {
                Some((key, _)) => routes.scopes(&key),
                None => Live::new(ScopeTable::default()),
            },
        };
        let nothing = Live::new(RouteTable::new(Arc::default()));
        Self {
            config: Arc::clone(config),
            current: Live::new(Index::new(source.get(), None)),
            source,
            unrouted: Follow::new(nothing, Arc::clone(plan)),
            plan: Arc::clone(plan),
            nowhere: Arc::default(),
        }
    }

    pub(super) fn dispatch(&self, request: Request) -> BoxFuture<Result<Response, Error>> {
        let current = self.current();
        let Some(entry) = self.entry(&current, &request) else {
            return self.unrouted.dispatch(request);
        };
        let build = || Follow::new(entry.routes.clone(), Arc::clone(&self.plan));
        entry.service.get_or_init(build).dispatch(request)
    }

    fn entry<'a>(&self, index: &'a Index, request: &Request) -> Option<&'a Entry> {
        let connection = request.extensions().get::<Arc<ConnectionInfo>>();
        let connection = connection.map_or(&*self.nowhere, |connection| connection);
        with_key(
            &self.config,
            &self.plan.manager,
            request,
            connection,
            |key| index.by_key.get(key?).map(|entry| &**entry),
        )
    }

    fn current(&self) -> Current<Index> {
        let latest = self.source.load();
        let current = self.current.load();
        if Arc::ptr_eq(&current.table, &latest) {
            return current;
        }
        let next = Index::new(Arc::clone(&latest), Some(&current));
        self.current.publish(next);
        self.current.load()
    }
}

/// Makes a request's key and looks something up by it.
pub(crate) fn with_key<T>(
    config: &ScopedRoutes,
    manager: &HttpConnectionManager,
    request: &Request,
    connection: &ConnectionInfo,
    look_up: impl FnOnce(Option<&str>) -> T,
) -> T {
    // Only a key that is made of what is going to change needs to know how.
    let changes = config.key.fragments.iter().any(|part| match part.header {
        MatchedHeader::Path => {
            manager.normalize_path
                || manager.merge_slashes
                || manager.escaped_slashes != EscapedSlashes::KeepUnchanged
        }
        MatchedHeader::Authority => {
            manager.strip_trailing_host_dot || manager.strip_port != StripPort::No
        }
        MatchedHeader::Name(_) | MatchedHeader::Method | MatchedHeader::Scheme => false,
    });
    let sketch = changes.then(|| request::sketch(request, manager, connection));
    let seen = sketch.as_ref().unwrap_or(request);
    let view = RequestView {
        method: request.method(),
        path_and_query: authority::path_and_query(seen),
        authority: authority::get(seen),
        uri_scheme: request.uri().scheme_str(),
        encrypted: connection.is_tls(),
        headers: request.headers(),
        is_grpc: grpc::is_grpc(request.headers()),
        random: 0,
    };
    look_up(config.key.key(&view).as_deref())
}

impl Index {
    /// Scopes that take the same routes as `before` keep what was built for them.
    fn new(table: Arc<ScopeTable>, before: Option<&Self>) -> Self {
        let kept: HashMap<&str, &Arc<Entry>> = (before.into_iter())
            .flat_map(|before| &before.by_key)
            .map(|(key, entry)| (&**key, entry))
            .collect();
        let places = table.places().iter().map(|place| {
            let key = place.key.as_str();
            let same = kept.get(key);
            let same = same.filter(|entry| entry.routes.ptr_eq(&place.routes));
            let entry = same.map_or_else(
                || {
                    Arc::new(Entry {
                        routes: place.routes.clone(),
                        service: OnceLock::new(),
                    })
                },
                |entry| Arc::clone(entry),
            );
            (Box::from(key), entry)
        });
        let by_key = places.collect();
        Self { table, by_key }
    }
}
