//! Which clusters something leads to.

use std::collections::HashSet;

use tandem_model::Listener;
use tandem_model::hcm::RouteSource;
use tandem_model::listener::NetworkFilter;
use tandem_model::route::{Action, ClusterSpecifier, RouteConfiguration};
use tandem_model::scope::{ScopeRoutes, ScopeSource};
use tandem_model::tcp_proxy::TcpCluster;

/// Those of everything that is served.
pub(super) fn clusters<'a>(
    routes: impl Iterator<Item = &'a RouteConfiguration>,
    listeners: impl Iterator<Item = &'a Listener>,
) -> HashSet<&'a str> {
    let mut all: HashSet<&str> = routes.flat_map(of_routes).collect();
    all.extend(listeners.flat_map(of_listener));
    all
}

/// Those of a route configuration; clusters that a header names are not known.
pub(super) fn of_routes(config: &RouteConfiguration) -> impl Iterator<Item = &str> {
    let routes = config.virtual_hosts.iter().flat_map(|host| &host.routes);
    routes.flat_map(|route| {
        let names: Vec<&str> = match &route.action {
            Action::Route(action) => match &action.cluster {
                ClusterSpecifier::Cluster(name) => vec![name],
                ClusterSpecifier::Weighted { clusters, .. } => {
                    clusters.iter().map(|cluster| &*cluster.name).collect()
                }
                ClusterSpecifier::Header(_) => Vec::new(),
            },
            Action::Redirect(_) | Action::DirectResponse(_) | Action::NonForwarding => Vec::new(),
        };
        names.into_iter().filter(|name| !name.is_empty())
    })
}

/// Those that a listener's own configuration names.
pub(super) fn of_listener(listener: &Listener) -> Vec<&str> {
    let mut names = Vec::new();
    for chain in listener.chains() {
        match &chain.filter {
            NetworkFilter::Http(manager) => match &manager.routes {
                RouteSource::Inline(config) => names.extend(of_routes(config)),
                RouteSource::Scoped(scoped) => names.extend(of_scopes(&scoped.scopes)),
                RouteSource::Rds(_) => {}
            },
            NetworkFilter::Tcp(proxy) => match &proxy.cluster {
                TcpCluster::Cluster(name) => names.push(&**name),
                TcpCluster::Weighted(all) => names.extend(all.iter().map(|(name, _)| &**name)),
            },
        }
    }
    names
}

fn of_scopes(scopes: &ScopeSource) -> impl Iterator<Item = &str> {
    let inline = match scopes {
        ScopeSource::Inline(all) => &all[..],
        ScopeSource::Srds(_) => &[],
    };
    inline.iter().flat_map(|scope| {
        let config = match &scope.routes {
            ScopeRoutes::Inline(config) => Some(config),
            ScopeRoutes::Named(_) => None,
        };
        config.into_iter().flat_map(|config| of_routes(config))
    })
}
