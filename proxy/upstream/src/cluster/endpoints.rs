//! Which hosts a cluster has.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use ahash::HashMap;
use tandem_model::Address;
use tandem_model::cluster::{Discovery, LoadAssignment, LocalityEndpoints};

use super::SharedCluster;
use crate::host::{Group, Host, HostSet, HostState, Rules};

/// An endpoint whose name, if it had one, has been resolved.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) address: Address,
    pub(crate) locality: usize,
    pub(crate) endpoint: usize,
    /// The name that was resolved, for hosts without a host name of their own.
    pub(crate) name: Option<Arc<str>>,
}

/// What tells the hosts of a cluster apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a>(&'a Address, &'a str);

impl<'a> Place<'a> {
    fn of(address: &'a Address, hostname: &'a str, by_name: bool) -> Self {
        Self(address, if by_name { hostname } else { "" })
    }
}

impl Host {
    fn place(&self, by_name: bool) -> Place<'_> {
        Place::of(&self.address, &self.hostname, by_name)
    }
}

impl SharedCluster {
    /// Publishes other hosts; an address that was there before keeps its state. Whether anything
    /// changed.
    pub(crate) fn set_hosts(&self, assignment: &LoadAssignment, resolved: &[Resolved]) -> bool {
        let _turn = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = self.hosts.load_full();
        // Each name has hosts of its own, also where two lead to one address.
        let by_name = matches!(self.config.discovery, Discovery::StrictDns(_));
        let mut before: HashMap<Place<'_>, &Arc<Host>> = HashMap::default();
        before.extend((old.hosts.iter()).map(|host| (host.place(by_name), host)));
        let groups = groups(&assignment.localities);
        // A control plane may say an address twice; only the first counts.
        let once = !by_name && self.config.discovery != Discovery::Static;
        let mut seen: HashMap<Place<'_>, Arc<HostState>> = HashMap::default();
        let mut hosts: Vec<Arc<Host>> = Vec::with_capacity(resolved.len());
        for found in resolved {
            let endpoint = assignment
                .localities
                .get(found.locality)
                .and_then(|group| group.endpoints.get(found.endpoint));
            let (Some(endpoint), Some(group)) = (endpoint, groups.get(found.locality)) else {
                continue;
            };
            let hostname = match &found.name {
                Some(name) if endpoint.hostname.is_empty() => name,
                _ => &endpoint.hostname,
            };
            let place = Place::of(&found.address, hostname, by_name);
            let again = seen.get(&place).filter(|_| once || by_name);
            if again.is_some() && once {
                continue;
            }
            let known = match self.config.discovery {
                // One host, wherever its name leads.
                Discovery::LogicalDns(_) => old.hosts.first(),
                _ => before.get(&place).copied(),
            };
            let state =
                (again.or(known.map(|known| &known.state))).map_or_else(Arc::default, Arc::clone);
            seen.insert(place, Arc::clone(&state));
            let mut host = Host::new(found.address.clone(), endpoint, group, state);
            host.hostname = Arc::clone(hostname);
            // The same host keeps its identity; two in one place are told apart by their order.
            let mut candidates = known.into_iter().chain(old.hosts.get(hosts.len()));
            let same = candidates
                .find(|known| known.is_same(&host) && known.address == host.address)
                .cloned();
            hosts.push(same.unwrap_or_else(|| Arc::new(host)));
        }
        let added = (hosts.iter()).any(|host| !before.contains_key(&host.place(by_name)));
        before.retain(|place, _| !seen.contains_key(place));
        for host in before.values() {
            // A logical host only moved.
            let moved = matches!(self.config.discovery, Discovery::LogicalDns(_));
            host.state.gone.store(!moved, Relaxed);
        }
        if added || !before.is_empty() {
            self.stats.membership_change.inc();
        }
        let rules = Rules::of(&self.config, assignment.overprovisioning_factor);
        let pairs = || old.hosts.iter().zip(&hosts);
        if rules == old.rules
            && hosts.len() == old.hosts.len()
            && pairs().all(|(before, now)| Arc::ptr_eq(before, now))
        {
            return false;
        }
        self.hosts.store(Arc::new(HostSet::new(hosts, rules)));
        true
    }

    /// Serves with the hosts of the cluster that this one replaces until its own are known.
    pub(crate) fn begin_with(&self, replaced: &Self) {
        let _turn = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = replaced.hosts.load_full();
        let rules = Rules::of(&self.config, old.rules.overprovisioning);
        let hosts = old.hosts.iter().map(|host| Arc::new(host.anew())).collect();
        self.hosts.store(Arc::new(HostSet::new(hosts, rules)));
    }

    /// Publishes the same hosts with their present health.
    pub(crate) fn health_changed(&self) {
        let _turn = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = self.hosts.load_full();
        let set = HostSet::new(old.hosts.clone(), old.rules.clone());
        self.hosts.store(Arc::new(set));
    }
}

/// One for each locality of the assignment; equal ones are one, with the sum of their weights.
fn groups(localities: &[LocalityEndpoints]) -> Vec<Arc<Group>> {
    let mut groups: Vec<Arc<Group>> = Vec::with_capacity(localities.len());
    for locality in localities {
        let same = |other: &&LocalityEndpoints| {
            other.locality == locality.locality && other.priority == locality.priority
        };
        let place = localities.iter().position(|other| same(&other));
        let group = match place.and_then(|place| groups.get(place)) {
            Some(first) => Arc::clone(first),
            None => {
                let weights = localities.iter().filter(same).filter_map(|l| l.weight);
                Arc::new(Group {
                    locality: locality.locality.clone(),
                    priority: locality.priority,
                    weight: weights.reduce(u32::saturating_add),
                })
            }
        };
        groups.push(group);
    }
    groups
}

/// The endpoints that need no resolving.
pub(crate) fn addresses(assignment: &LoadAssignment) -> Vec<Resolved> {
    let mut found = Vec::new();
    for (locality, group) in assignment.localities.iter().enumerate() {
        for (endpoint, configured) in group.endpoints.iter().enumerate() {
            match &configured.address {
                address @ (Address::Socket(_) | Address::Pipe(_)) => found.push(Resolved {
                    address: address.clone(),
                    locality,
                    endpoint,
                    name: None,
                }),
                Address::Name { .. } => {}
            }
        }
    }
    found
}
