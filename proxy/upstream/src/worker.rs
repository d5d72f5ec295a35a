//! One worker's view of the clusters: pools and cursors, built when first used.
//!
//! Two tables follow what is published process-wide: clusters by the manager's snapshot, pools
//! by a cluster's host set. When the published value was replaced, a new table takes over what is
//! still valid. That of clusters knows only those that were used, so that ten thousand clusters
//! cost a worker nothing; its lock is never contended.

mod on_demand;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use http::HeaderMap;
use tandem_core::Error;
use tandem_core::error::Kind;
use tandem_core::ext::ConnectionInfo;
use tandem_model::cluster::Discovery;
use tandem_transport::tls::Contexts;

use on_demand::OnDemand;

use crate::ClusterManager;
use crate::balance::{self, Cursors};
use crate::cluster::SharedCluster;
use crate::host::{Host, HostSet, HostState};
use crate::pool::HostPool;

/// A worker's view of all clusters; cloning it is a reference count.
#[derive(Clone, Debug)]
pub struct Clusters(Arc<View>);

#[derive(Debug)]
struct View {
    manager: Arc<ClusterManager>,
    used: Mutex<Used>,
}

/// The clusters that this worker used, and the number of the snapshot that they were compared
/// with.
#[derive(Debug, Default)]
struct Used {
    generation: u64,
    by_id: ahash::HashMap<u64, Arc<WorkerCluster>>,
}

/// One cluster on one worker.
#[derive(Debug)]
pub(crate) struct WorkerCluster {
    pub(crate) shared: Arc<SharedCluster>,
    table: ArcSwap<HostTable>,
    /// Hosts that no list names.
    on_demand: OnDemand,
}

/// Who wants a connection.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// What it came on.
    pub(crate) connection: &'a ConnectionInfo,
    /// The headers of its request, if it is one.
    pub(crate) headers: Option<&'a HeaderMap>,
}

#[derive(Debug, Default)]
struct HostTable {
    set: Arc<HostSet>,
    pools: Box<[OnceLock<Arc<HostPool>>]>,
    cursors: Cursors,
}

impl Clusters {
    pub(crate) fn new(manager: Arc<ClusterManager>) -> Self {
        Self(Arc::new(View {
            manager,
            used: Mutex::default(),
        }))
    }

    /// The TLS contexts of the process.
    pub fn tls(&self) -> &Contexts {
        self.0.manager.tls()
    }

    /// Whether a cluster of that name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.0.manager.contains(name)
    }

    /// The address of the host that takes the next request to a cluster; for measuring what
    /// that choice costs.
    #[doc(hidden)]
    pub fn pick(&self, name: &str) -> Option<Arc<str>> {
        let pool = self.find(name)?.choose_listed()?;
        Some(Arc::clone(pool.host.text()))
    }

    /// The cluster of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<WorkerCluster>> {
        let snapshot = self.0.manager.snapshot();
        let shared = snapshot.by_name.get(name)?;
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.generation != snapshot.generation {
            used.generation = snapshot.generation;
            used.by_id.retain(|_, cluster| !cluster.shared.is_retired());
        }
        let cluster = used
            .by_id
            .entry(shared.id)
            .or_insert_with(|| Arc::new(WorkerCluster::new(shared)));
        Some(Arc::clone(cluster))
    }
}

impl WorkerCluster {
    fn new(shared: &Arc<SharedCluster>) -> Self {
        Self {
            shared: Arc::clone(shared),
            table: ArcSwap::default(),
            on_demand: OnDemand::default(),
        }
    }

    /// The pool of the host that takes the next request.
    pub(crate) fn choose(&self, asker: Asker<'_>) -> Result<Arc<HostPool>, Error> {
        let pool = match &self.shared.config.discovery {
            Discovery::OriginalDst(settings) => self.on_demand.pool(&self.shared, settings, asker),
            _ => self.choose_listed(),
        };
        pool.ok_or_else(|| {
            self.shared.stats.upstream_cx_none_healthy.inc();
            Error::new(Kind::NoHealthyUpstream)
        })
    }

    fn choose_listed(&self) -> Option<Arc<HostPool>> {
        let set = self.shared.hosts();
        let mut table = self.table.load();
        if !Arc::ptr_eq(&table.set, &set) {
            self.table.store(Arc::new(table.follow(&set)));
            table = self.table.load();
        }
        let policy = &self.shared.config.lb_policy;
        let pick = balance::pick(policy, &set, &table.cursors);
        // No host at all is fewer healthy ones than any threshold asks for.
        let none =
            set.hosts.is_empty() && self.shared.config.healthy_panic_threshold.millionths > 0;
        if pick.as_ref().map_or(none, |pick| pick.panic) {
            self.shared.stats.lb_healthy_panic.inc();
        }
        let pick = pick?;
        let pool = table.pools[pick.host]
            .get_or_init(|| HostPool::new(&self.shared, &set.hosts[pick.host]));
        Some(Arc::clone(pool))
    }
}

impl HostTable {
    fn follow(&self, set: &Arc<HostSet>) -> Self {
        let known: HashMap<*const HostState, &Arc<HostPool>> = self
            .pools
            .iter()
            .filter_map(|slot| slot.get())
            .map(|pool| (Arc::as_ptr(&pool.host.state), pool))
            .collect();
        let slot = |host: &Arc<Host>| match known.get(&Arc::as_ptr(&host.state)) {
            Some(pool) if pool.host.keeps_pools_of(host) => OnceLock::from(Arc::clone(pool)),
            _ => OnceLock::new(),
        };
        Self {
            set: Arc::clone(set),
            pools: set.hosts.iter().map(slot).collect(),
            cursors: Cursors::new(set),
        }
    }
}
