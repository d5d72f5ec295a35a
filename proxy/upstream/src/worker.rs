//! One worker's view of the clusters: pools and cursors, built when first used.
//!
//! Two tables follow what is published process-wide: clusters by the manager's snapshot, pools
//! by a cluster's host set. Each is an array of slots filled once, so a lookup takes no lock;
//! when the published value was replaced, a new table takes over what is still valid.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tandem_core::Error;
use tandem_core::error::Kind;

use crate::ClusterManager;
use crate::balance;
use crate::cluster::SharedCluster;
use crate::host::{Host, HostSet};
use crate::manager::Snapshot;
use crate::pool::HostPool;

/// A worker's view of all clusters; cloning it is a reference count.
#[derive(Clone, Debug)]
pub struct Clusters(Arc<View>);

#[derive(Debug)]
struct View {
    manager: Arc<ClusterManager>,
    table: ArcSwap<ClusterTable>,
}

#[derive(Debug, Default)]
struct ClusterTable {
    snapshot: Arc<Snapshot>,
    slots: Box<[OnceLock<Arc<WorkerCluster>>]>,
}

/// One cluster on one worker.
#[derive(Debug)]
pub(crate) struct WorkerCluster {
    pub(crate) shared: Arc<SharedCluster>,
    cursor: AtomicUsize,
    table: ArcSwap<HostTable>,
}

#[derive(Debug, Default)]
struct HostTable {
    set: Arc<HostSet>,
    pools: Box<[OnceLock<Arc<HostPool>>]>,
}

impl Clusters {
    pub(crate) fn new(manager: Arc<ClusterManager>) -> Self {
        Self(Arc::new(View {
            manager,
            table: ArcSwap::default(),
        }))
    }

    /// Whether a cluster of that name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.0.manager.snapshot().by_name.contains_key(name)
    }

    /// The address of the host that takes the next request to a cluster; for measuring what
    /// that choice costs.
    #[doc(hidden)]
    pub fn pick(&self, name: &str) -> Option<Arc<str>> {
        let pool = self.find(name)?.choose().ok()?;
        Some(Arc::clone(&pool.host.text))
    }

    /// The cluster of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<WorkerCluster>> {
        let snapshot = self.0.manager.snapshot();
        let place = *snapshot.by_name.get(name)?;
        let mut table = self.0.table.load();
        if !Arc::ptr_eq(&table.snapshot, &snapshot) {
            self.0.table.store(Arc::new(table.follow(&snapshot)));
            table = self.0.table.load();
        }
        let cluster = table
            .slots
            .get(place)?
            .get_or_init(|| Arc::new(WorkerCluster::new(&snapshot.clusters[place])));
        Some(Arc::clone(cluster))
    }
}

impl ClusterTable {
    fn follow(&self, snapshot: &Arc<Snapshot>) -> Self {
        let slot = |shared: &Arc<SharedCluster>| {
            let before = self
                .snapshot
                .by_name
                .get(&shared.config.name)
                .and_then(|place| self.slots.get(*place)?.get())
                .filter(|cluster| Arc::ptr_eq(&cluster.shared, shared));
            before.map_or_else(OnceLock::new, |cluster| Arc::clone(cluster).into())
        };
        Self {
            snapshot: Arc::clone(snapshot),
            slots: snapshot.clusters.iter().map(slot).collect(),
        }
    }
}

impl WorkerCluster {
    fn new(shared: &Arc<SharedCluster>) -> Self {
        Self {
            shared: Arc::clone(shared),
            // Workers start at different hosts, so that few requests do not all meet the first.
            cursor: AtomicUsize::new(crate::random::below(1 << 16)),
            table: ArcSwap::default(),
        }
    }

    /// The pool of the host that takes the next request.
    pub(crate) fn choose(&self) -> Result<Arc<HostPool>, Error> {
        let set = self.shared.hosts();
        if set.panic {
            self.shared.stats.lb_healthy_panic.inc();
        }
        let Some(place) = balance::pick(&self.shared.config.lb_policy, &set, &self.cursor) else {
            self.shared.stats.upstream_cx_none_healthy.inc();
            return Err(Error::new(Kind::NoHealthyUpstream));
        };
        let mut table = self.table.load();
        if !Arc::ptr_eq(&table.set, &set) {
            self.table.store(Arc::new(table.follow(&set)));
            table = self.table.load();
        }
        let pool =
            table.pools[place].get_or_init(|| HostPool::new(&self.shared, &set.hosts[place]));
        Ok(Arc::clone(pool))
    }
}

impl HostTable {
    fn follow(&self, set: &Arc<HostSet>) -> Self {
        let known: HashMap<*const Host, &Arc<HostPool>> = self
            .set
            .hosts
            .iter()
            .zip(&self.pools)
            .filter_map(|(host, slot)| Some((Arc::as_ptr(host), slot.get()?)))
            .collect();
        let slot = |host: &Arc<Host>| match known.get(&Arc::as_ptr(host)) {
            Some(pool) => OnceLock::from(Arc::clone(pool)),
            None => OnceLock::new(),
        };
        Self {
            set: Arc::clone(set),
            pools: set.hosts.iter().map(slot).collect(),
        }
    }
}
