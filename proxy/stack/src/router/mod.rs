//! From a clean request to its route, and through the route's own chain.

mod chain;
mod discovered;
pub(crate) mod edits;
mod kept;
pub(crate) mod redirect;
pub(crate) mod rewrite;
mod send;
mod terminal;

#[cfg(test)]
mod tests;

pub(crate) use chain::{effective, is_skipped, said};
pub(crate) use edits::response_formats;

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::StatusCode;
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::StreamInfo;
use tandem_core::stats::Scope;
use tandem_core::{BoxFuture, Error, HttpService, Request, Response, authority};
use tandem_model::HttpConnectionManager;
use tandem_model::matching::{Found, RequestView, RouteTable};
use tandem_model::route::{Action, ClusterSpecifier, RequireTls, RouteAction, VirtualHost};
use tandem_model::scheme;
use tower::Service;

use crate::hcm::{Plan, Stats, request};
use chain::Chains;
use kept::Kept;

/// Takes every request to its route.
///
/// Each route has a chain of its own (the filters with what the route says of them, then the
/// route's action), built when it is first taken: 10,000 routes cost what their configuration
/// costs until they are used.
#[derive(Clone, Debug)]
pub struct Router(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Arc<RouteTable>,
    manager: Arc<HttpConnectionManager>,
    /// By virtual host, route and weighted cluster.
    built: Vec<Vec<Slots>>,
    unrouted: HttpService,
    chains: Chains,
}

/// The chains of one route.
type Slots = Box<[OnceLock<HttpService>]>;

/// Builds the router of a route table. Routes that are the same in the router before keep
/// their chains.
pub(crate) fn build(
    plan: &Plan,
    table: Arc<RouteTable>,
    scope: &Scope,
    stats: &Arc<Stats>,
    before: Option<&Router>,
) -> Router {
    let config = table.config();
    let chains = Chains::new(plan, config, scope, Arc::clone(stats));
    let kept = Kept::new(before, config);
    let built = config
        .virtual_hosts
        .iter()
        .map(|host| kept.slots(host))
        .collect();
    let unrouted = chains.unrouted();
    Router(Arc::new(Inner {
        manager: Arc::clone(&plan.manager),
        built,
        unrouted,
        chains,
        table,
    }))
}

impl Router {
    /// The routes it knows.
    pub(crate) fn table(&self) -> &Arc<RouteTable> {
        &self.0.table
    }
}

impl Service<Request> for Router {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.0.route(&mut request) {
            Ok(service) => service.dispatch(request),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl Inner {
    fn route<'a>(&'a self, request: &mut Request) -> Result<&'a HttpService, Error> {
        let Some(info) = request.extensions().get::<Arc<StreamInfo>>().cloned() else {
            return Ok(&self.unrouted);
        };
        let random = rand::random::<u64>();
        let view = view(request, &info, random);
        let Some(host) = self.table.virtual_host(view.authority) else {
            return Ok(&self.unrouted);
        };
        let config = self.table.config();
        if let Some(redirect) = require_tls(&config.virtual_hosts[host], &view, &info) {
            return Err(redirect);
        }
        let Some(route) = self.table.route(host, &view) else {
            return Ok(&self.unrouted);
        };
        let _ = info
            .virtual_host
            .set(Arc::clone(&config.virtual_hosts[host].name));
        let entry = &config.virtual_hosts[host].routes[route];
        if !entry.name.is_empty() {
            let _ = info.route.set(Arc::clone(&entry.name));
        }
        let mut choice = 0;
        if let Action::Route(action) = &entry.action {
            refuse_upgrade(&self.manager, action, request)?;
            let chosen = choose(action, request, random);
            let (cluster, chosen) = chosen.inspect_err(|_| self.chains.unchosen())?;
            choice = chosen;
            if let Some(cluster) = cluster {
                let _ = info.cluster.set(cluster);
            }
        }
        let found = Found {
            host,
            route: Some(route),
        };
        Ok(self.built[host][route][choice].get_or_init(|| self.chains.build(found, choice)))
    }
}

/// An upgrade must be allowed by the route or the connection manager.
pub(crate) fn refuse_upgrade(
    manager: &HttpConnectionManager,
    action: &RouteAction,
    request: &Request,
) -> Result<(), Error> {
    let Some(wanted) = request::upgrade(request.headers()) else {
        return Ok(());
    };
    let allowed = action
        .upgrades
        .iter()
        .chain(&manager.upgrades)
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .is_some_and(|(_, enabled)| *enabled);
    if allowed {
        return Ok(());
    }
    Err(Error::reply(LocalReply::new(
        StatusCode::FORBIDDEN,
        "",
        "upgrade_failed",
    )))
}

/// The cluster of a route, and which of its choices that is.
pub(crate) fn choose(
    action: &RouteAction,
    request: &Request,
    random: u64,
) -> Result<(Option<Arc<str>>, usize), Error> {
    let by_header = |name: &http::HeaderName| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        match value {
            Some(cluster) if !cluster.is_empty() => Ok(Arc::from(cluster)),
            _ => Err(Error::new(Kind::ClusterNotFound(
                action.cluster_not_found_response_code,
            ))),
        }
    };
    match &action.cluster {
        ClusterSpecifier::Cluster(name) => Ok((Some(Arc::clone(name)), 0)),
        ClusterSpecifier::Header(name) => Ok((Some(by_header(name)?), 0)),
        ClusterSpecifier::Weighted { clusters, total } => {
            // Only weights that a runtime layer may change are summed up anew.
            let changes = clusters.iter().any(|cluster| cluster.weight_key.is_some());
            let total = if changes {
                clusters.iter().fold(0, |sum: u64, cluster| {
                    sum.saturating_add(cluster.weight_now())
                })
            } else {
                u64::from(*total)
            };
            let mut point = random % total.max(1);
            for (index, cluster) in clusters.iter().enumerate() {
                let weight = cluster.weight_now();
                if point < weight {
                    let name = match &cluster.cluster_header {
                        Some(header) => by_header(header)?,
                        None => Arc::clone(&cluster.name),
                    };
                    return Ok((Some(name), index));
                }
                point -= weight;
            }
            Ok((None, 0))
        }
    }
}

/// What routes look at, with the number that decides about shares.
pub(crate) fn view<'a>(request: &'a Request, info: &StreamInfo, random: u64) -> RequestView<'a> {
    RequestView {
        method: request.method(),
        path_and_query: authority::path_and_query(request),
        authority: authority::get(request),
        uri_scheme: request.uri().scheme_str(),
        encrypted: info.connection.is_tls(),
        headers: request.headers(),
        is_grpc: info.is_grpc,
        random,
    }
}

/// The redirect to https, if the virtual host wants one for this request.
pub(crate) fn require_tls(
    host: &VirtualHost,
    view: &RequestView<'_>,
    info: &StreamInfo,
) -> Option<Error> {
    let wanted = match host.require_tls {
        RequireTls::None => false,
        RequireTls::ExternalOnly => !info.internal,
        RequireTls::All => true,
    };
    let secure = || {
        let proto = view.headers.get(scheme::X_FORWARDED_PROTO);
        proto.is_some_and(|proto| proto == "https")
    };
    if !wanted || secure() {
        return None;
    }
    let location = format!("https://{}{}", view.authority, view.path_and_query);
    let location = http::HeaderValue::from_str(&location).ok()?;
    Some(Error::reply(
        LocalReply::new(StatusCode::MOVED_PERMANENTLY, "", "direct_response")
            .header(http::header::LOCATION, location),
    ))
}
