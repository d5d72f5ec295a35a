//! Which hosts a cluster has.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use ahash::{HashMap, HashSet};
use tandem_model::Address;
use tandem_model::cluster::{Discovery, LoadAssignment, LocalityEndpoints};

use super::SharedCluster;
use crate::host::{Group, Host, HostSet, Rules};

/// An endpoint whose name, if it had one, has been resolved.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) address: Address,
    pub(crate) locality: usize,
    pub(crate) endpoint: usize,
    /// The name that was resolved, for hosts without a host name of their own.
    pub(crate) name: Option<Arc<str>>,
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
        let by_address = old.hosts.iter().map(|host| (&host.address, host));
        let mut before: HashMap<&Address, &Arc<Host>> = by_address.collect();
        let groups = groups(&assignment.localities);
        // A control plane or a name server may say an address twice; only the first counts.
        let once = self.config.discovery != Discovery::Static;
        let mut seen: HashSet<&Address> = HashSet::default();
        let mut hosts: Vec<Arc<Host>> = Vec::with_capacity(resolved.len());
        for found in resolved {
            let endpoint = assignment
                .localities
                .get(found.locality)
                .and_then(|group| group.endpoints.get(found.endpoint));
            let (Some(endpoint), Some(group)) = (endpoint, groups.get(found.locality)) else {
                continue;
            };
            if !seen.insert(&found.address) && once {
                continue;
            }
            let known = match self.config.discovery {
                // One host, wherever its name leads.
                Discovery::LogicalDns(_) => old.hosts.first(),
                _ => before.get(&found.address).copied(),
            };
            let state = known.map_or_else(Arc::default, |known| Arc::clone(&known.state));
            let mut host = Host::new(found.address.clone(), endpoint, group, state);
            if let (Some(name), true) = (&found.name, endpoint.hostname.is_empty()) {
                host.hostname = Arc::clone(name);
            }
            // The same host keeps its identity.
            hosts.push(match known {
                Some(known) if known.is_same(&host) && known.address == host.address => {
                    Arc::clone(known)
                }
                _ => Arc::new(host),
            });
        }
        let added = hosts.iter().any(|host| !before.contains_key(&host.address));
        before.retain(|address, _| !seen.contains(*address));
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
