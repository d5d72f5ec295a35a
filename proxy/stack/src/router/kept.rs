//! What a router takes over from the one before it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tandem_model::route::{
    Action, ClusterSpecifier, Route, RouteAction, RouteConfiguration, VirtualHost,
};

use super::{Router, Slots};

/// The chains of a former router by the virtual host's name.
pub(super) struct Kept<'a> {
    hosts: HashMap<&'a str, (&'a Arc<VirtualHost>, &'a [Slots])>,
}

impl<'a> Kept<'a> {
    /// What can still be used under `config`; nothing, if what all routes share has changed.
    pub(super) fn new(before: Option<&'a Router>, config: &RouteConfiguration) -> Self {
        let before = before.filter(|before| same_for_all(before.0.table.config(), config));
        let hosts = before.into_iter().flat_map(|before| {
            let hosts = &before.0.table.config().virtual_hosts;
            hosts.iter().zip(&before.0.built)
        });
        Self {
            hosts: hosts
                .map(|(host, slots)| (&*host.name, (host, slots.as_slice())))
                .collect(),
        }
    }

    /// The slots of a virtual host's routes, filled where a route stayed what it was.
    pub(super) fn slots(&self, host: &VirtualHost) -> Vec<Slots> {
        let Some((old, slots)) = self.hosts.get(&*host.name) else {
            return host.routes.iter().map(|route| empty(route)).collect();
        };
        if !same_but_routes(old, host) {
            return host.routes.iter().map(|route| empty(route)).collect();
        }
        // Most edits leave the beginning and the end of the list as they were.
        let (before, after) = (&old.routes, &host.routes);
        let same = |(a, b): &(&Arc<Route>, &Arc<Route>)| Arc::ptr_eq(a, b) || a == b;
        let head = before.iter().zip(after).take_while(same).count();
        let room = before.len().min(after.len()) - head;
        let pairs = before.iter().rev().zip(after.iter().rev()).take(room);
        let tail = pairs.take_while(same).count();
        let (changed, total) = (after.len() - tail, after.len());
        let place = |index: usize| match index {
            index if index < head => Some(index),
            index if index >= changed => Some(before.len() - (total - index)),
            _ => None,
        };
        (0..total)
            .map(|index| match place(index).and_then(|old| slots.get(old)) {
                Some(slots) => slots.clone(),
                None => empty(&after[index]),
            })
            .collect()
    }
}

fn empty(route: &Route) -> Slots {
    let choices = match &route.action {
        Action::Route(action) => choices(action),
        _ => 1,
    };
    (0..choices).map(|_| OnceLock::new()).collect()
}

fn choices(action: &RouteAction) -> usize {
    match &action.cluster {
        ClusterSpecifier::Weighted { clusters, .. } => clusters.len(),
        ClusterSpecifier::Cluster(_) | ClusterSpecifier::Header(_) => 1,
    }
}

fn same_for_all(a: &RouteConfiguration, b: &RouteConfiguration) -> bool {
    a.request_headers == b.request_headers
        && a.response_headers == b.response_headers
        && a.most_specific_header_mutations_wins == b.most_specific_header_mutations_wins
        && a.filters == b.filters
}

fn same_but_routes(a: &VirtualHost, b: &VirtualHost) -> bool {
    let without = |host: &VirtualHost| VirtualHost {
        routes: Vec::new(),
        ..host.clone()
    };
    without(a) == without(b)
}
