//! A cluster as the whole process shares it: hosts, breakers, outlier state, metrics.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tandem_core::stats::Registry;
use tandem_model::cluster::{Discovery, LoadAssignment};
use tandem_model::{Address, Cluster};

use crate::breaker::Breaker;
use crate::host::{Host, HostSet, HostState};
use crate::stats::ClusterStats;

/// One cluster, process-wide.
#[derive(Debug)]
pub(crate) struct SharedCluster {
    /// Its settings. Of the endpoints, those of `latest` count.
    pub(crate) config: Arc<Cluster>,
    latest: ArcSwap<Cluster>,
    pub(crate) stats: ClusterStats,
    pub(crate) default_priority: Arc<Breaker>,
    pub(crate) high_priority: Arc<Breaker>,
    hosts: ArcSwap<HostSet>,
    /// Serialises those who publish hosts; readers never take it.
    publishing: Mutex<()>,
}

/// An endpoint whose name, if it had one, has been resolved.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) address: SocketAddr,
    pub(crate) locality: usize,
    pub(crate) endpoint: usize,
    /// The name that was resolved, for hosts without a host name of their own.
    pub(crate) name: Option<Arc<str>>,
}

impl SharedCluster {
    /// A cluster whose hosts are the addresses in its configuration; names come later.
    pub(crate) fn new(config: Arc<Cluster>, registry: &Registry) -> Arc<Self> {
        let name = &config.stat_name;
        let cluster = Self {
            stats: ClusterStats::new(registry, name),
            default_priority: Breaker::new(&config.circuit_breakers, registry, name, "default"),
            high_priority: Breaker::new(&config.circuit_breakers_high, registry, name, "high"),
            hosts: ArcSwap::default(),
            publishing: Mutex::new(()),
            latest: ArcSwap::new(Arc::clone(&config)),
            config,
        };
        let assignment = &cluster.config.load_assignment;
        cluster.set_hosts(assignment, &addresses(assignment));
        Arc::new(cluster)
    }

    /// Takes over a configuration, if that needs no new cluster: it is equal, or differs only
    /// in the addresses of its endpoints.
    pub(crate) fn adopt(&self, config: &Arc<Cluster>) -> bool {
        let latest = self.latest.load();
        if Arc::ptr_eq(&latest, config) || **latest == **config {
            return true;
        }
        if config.discovery != Discovery::Static || !same_but_endpoints(&latest, config) {
            return false;
        }
        self.latest.store(Arc::clone(config));
        let assignment = &config.load_assignment;
        self.set_hosts(assignment, &addresses(assignment));
        true
    }

    /// The limits of a priority.
    pub(crate) fn breaker(&self, high_priority: bool) -> &Arc<Breaker> {
        if high_priority {
            &self.high_priority
        } else {
            &self.default_priority
        }
    }

    /// The hosts now.
    pub(crate) fn hosts(&self) -> arc_swap::Guard<Arc<HostSet>> {
        self.hosts.load()
    }

    /// Publishes other hosts; an address that was there before keeps its state.
    pub(crate) fn set_hosts(&self, assignment: &LoadAssignment, resolved: &[Resolved]) {
        let _turn = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = self.hosts.load_full();
        let mut states: HashMap<SocketAddr, Arc<HostState>> = old
            .hosts
            .iter()
            .map(|host| (host.address, Arc::clone(&host.state)))
            .collect();
        let mut hosts: Vec<Arc<Host>> = Vec::with_capacity(resolved.len());
        for found in resolved {
            let Some(group) = assignment.localities.get(found.locality) else {
                continue;
            };
            let Some(endpoint) = group.endpoints.get(found.endpoint) else {
                continue;
            };
            let hostname = match &found.name {
                Some(name) if endpoint.hostname.is_empty() => Arc::clone(name),
                _ => Arc::clone(&endpoint.hostname),
            };
            let host = Host {
                address: found.address,
                text: found.address.to_string().into(),
                hostname,
                weight: endpoint.weight.max(1),
                priority: group.priority,
                locality: group.locality.clone(),
                health: endpoint.health,
                state: states.entry(found.address).or_default().clone(),
            };
            // The same host keeps its identity, and with it every worker's pool.
            let before = old.hosts.iter().find(|before| before.is_same(&host));
            hosts.push(before.map_or_else(|| Arc::new(host), Arc::clone));
        }
        if addresses_of(&old.hosts) != addresses_of(&hosts) {
            self.stats.membership_change.inc();
        }
        self.publish(hosts);
    }

    /// Publishes the same hosts with their present health.
    pub(crate) fn health_changed(&self) {
        let _turn = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.publish(self.hosts.load().hosts.clone());
    }

    fn publish(&self, hosts: Vec<Arc<Host>>) {
        let latest = self.latest.load();
        let overprovisioning = match latest.load_assignment.overprovisioning_factor {
            0 => 140,
            factor => factor,
        };
        let set = HostSet::new(hosts, overprovisioning, self.config.healthy_panic_threshold);
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.stats.membership_total.set(count(set.hosts.len()));
        self.stats.membership_healthy.set(count(set.healthy()));
        self.stats.membership_degraded.set(count(set.degraded()));
        self.hosts.store(Arc::new(set));
    }
}

fn same_but_endpoints(a: &Cluster, b: &Cluster) -> bool {
    let without = |cluster: &Cluster| Cluster {
        load_assignment: LoadAssignment::default(),
        ..cluster.clone()
    };
    without(a) == without(b)
}

/// The endpoints that need no resolving.
pub(crate) fn addresses(assignment: &LoadAssignment) -> Vec<Resolved> {
    let mut found = Vec::new();
    for (locality, group) in assignment.localities.iter().enumerate() {
        for (endpoint, configured) in group.endpoints.iter().enumerate() {
            match &configured.address {
                Address::Socket(address) => found.push(Resolved {
                    address: *address,
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

fn addresses_of(hosts: &[Arc<Host>]) -> Vec<SocketAddr> {
    hosts.iter().map(|host| host.address).collect()
}
