use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;
use tandem_core::directory::Directory;
use tandem_core::filter::BuildFilter;
use tandem_core::routes::RouteTables;
use tandem_core::stats::Registry;
use tandem_model::config_source::{Origin, ResourceKey};
use tandem_model::filter::fault::Fault;
use tandem_model::filter::{FilterConfig, FilterSource, HttpFilter};
use tandem_model::headers::HeaderMutations;
use tandem_model::route::{
    Action, DirectResponse, PathMatch, RequireTls, Route, RouteConfiguration, RouteMatch,
    VirtualHost,
};
use tandem_upstream::ClusterManager;

use super::*;
use crate::Deps;
use crate::access_log::Sinks;
use crate::server::tests::support::{connection, default_manager};

fn route(path: &str, status: StatusCode) -> Arc<Route> {
    Arc::new(Route {
        name: "".into(),
        matches: RouteMatch {
            path: PathMatch::Exact(path.into()),
            case_sensitive: true,
            headers: Vec::new(),
            query_parameters: Vec::new(),
            grpc: false,
            fraction: None,
        },
        action: Action::DirectResponse(Arc::new(DirectResponse {
            status,
            body: "".into(),
        })),
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        per_request_buffer_limit_bytes: None,
        filters: Vec::new(),
    })
}

fn routes(routes: Vec<Arc<Route>>) -> Arc<RouteConfiguration> {
    Arc::new(RouteConfiguration {
        virtual_hosts: vec![Arc::new(VirtualHost {
            name: "all".into(),
            domains: vec!["*".into()],
            routes,
            require_tls: RequireTls::None,
            request_headers: HeaderMutations::default(),
            response_headers: HeaderMutations::default(),
            retry_policy: None,
            include_request_attempt_count: false,
            include_attempt_count_in_response: false,
            per_request_buffer_limit_bytes: None,
            filters: Vec::new(),
        })],
        ..RouteConfiguration::default()
    })
}

struct Rig {
    tables: RouteTables,
    key: ResourceKey,
    follow: Follow,
    /// How many chains were built.
    built: Arc<AtomicUsize>,
}

fn no_fault() -> Fault {
    Fault {
        delay: None,
        abort: None,
        upstream_cluster: "".into(),
        headers: Vec::new(),
        downstream_nodes: Vec::new(),
        max_active_faults: None,
        max_active_faults_key: tandem_model::runtime::RuntimeKey::named("test.none"),
    }
}

fn rig() -> Rig {
    let tables = RouteTables::default();
    let key = ResourceKey {
        origin: Origin::Ads,
        name: "r".into(),
    };
    let stats = Registry::default();
    let clusters = ClusterManager::new(&[], &stats, &tokio::runtime::Handle::current());
    let built = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&built);
    let plan = Plan {
        manager: Arc::new(tandem_model::HttpConnectionManager {
            http_filters: vec![Arc::new(HttpFilter {
                name: "counted".into(),
                config: FilterSource::Inline(FilterConfig::Fault(Arc::new(no_fault()))),
                disabled: false,
            })],
            ..default_manager()
        }),
        listener: "l".into(),
        buffer_limit: 1 << 20,
        deps: Deps {
            clusters: clusters.worker(),
            stats,
            filters: BuildFilter::new(move |_, _, inner| {
                counted.fetch_add(1, Relaxed);
                inner
            }),
            directory: Directory::default(),
            routes: tables.clone(),
            extensions: Default::default(),
            logs: Sinks::new(Duration::from_secs(1), 1),
            entries: Default::default(),
        },
    };
    let follow = Follow::new(tables.table(&key), Arc::new(plan));
    Rig {
        tables,
        key,
        follow,
        built,
    }
}

impl Rig {
    fn publish(&self, list: Vec<Arc<Route>>) {
        self.tables.publish(&self.key, routes(list));
    }

    async fn get(&self, path: &'static str) -> StatusCode {
        let mut request = Request::new(tandem_core::Body::empty());
        *request.uri_mut() = http::Uri::from_static(path);
        let host = http::HeaderValue::from_static("a.test");
        request.headers_mut().insert(http::header::HOST, host);
        request.extensions_mut().insert(connection());
        self.follow.dispatch(request).await.unwrap().status()
    }
}

#[tokio::test]
async fn requests_take_the_routes_that_are_published() {
    let rig = rig();
    assert_eq!(rig.get("/a").await, StatusCode::NOT_FOUND);
    rig.publish(vec![route("/a", StatusCode::OK)]);
    assert_eq!(rig.get("/a").await, StatusCode::OK);
    rig.publish(vec![route("/b", StatusCode::OK)]);
    assert_eq!(rig.get("/a").await, StatusCode::NOT_FOUND);
    assert_eq!(rig.get("/b").await, StatusCode::OK);
}

/// A route that stays what it was keeps its chain wherever the list grew or shrank.
#[tokio::test]
async fn unchanged_routes_keep_their_chains() {
    let rig = rig();
    let (a, b, c) = ("/a", "/b", "/c");
    rig.publish(vec![route(a, StatusCode::OK), route(b, StatusCode::OK)]);
    for path in [a, b] {
        rig.get(path).await;
    }
    let before = rig.built.load(Relaxed);
    let unrouted = 1;

    rig.publish(vec![
        route(a, StatusCode::OK),
        route(c, StatusCode::ACCEPTED),
        route(b, StatusCode::OK),
    ]);
    for path in [a, b, a, b] {
        assert_eq!(rig.get(path).await, StatusCode::OK);
    }
    assert_eq!(rig.built.load(Relaxed), before + unrouted);
    assert_eq!(rig.get(c).await, StatusCode::ACCEPTED);
    assert_eq!(rig.built.load(Relaxed), before + unrouted + 1);

    rig.publish(vec![
        route(a, StatusCode::ACCEPTED),
        route(b, StatusCode::OK),
    ]);
    assert_eq!(rig.get(a).await, StatusCode::ACCEPTED);
    assert_eq!(rig.get(b).await, StatusCode::OK);
    assert_eq!(rig.built.load(Relaxed), before + 2 * unrouted + 2);
}
