//! The clusters of the process.

mod batch;
mod warming;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use ahash::HashMap;
use arc_swap::ArcSwap;
use tandem_core::stats::Registry;
use tandem_model::Cluster;
use tandem_model::cluster::LoadAssignment;
use tandem_transport::tls::{Contexts, InUse};
use tokio::runtime::Handle;

use crate::admin::ClusterStatus;
use crate::cluster::{Origin, SharedCluster};
use crate::stats::ClusterStats;
use crate::transport::Transports;
use crate::{Clusters, admin, dns};

pub use batch::Batch;
pub use warming::Warming;

/// All clusters and what the whole process knows of them. DNS lookups and the sweeps that end
/// ejections run on the control runtime; workers only read.
///
/// Clusters are changed from one thread, one by one or many at once ([`Self::batch`]); requests
/// see all of a batch or nothing of it. A cluster that is equal to the one before keeps its state
/// and its pools; one of which only the endpoints differ keeps the hosts that stay, and their
/// pools; one that is replaced or removed lets its requests finish, and closes its connections
/// when they are idle.
#[derive(Debug)]
pub struct ClusterManager {
    stats: Registry,
    control: Handle,
    snapshot: ArcSwap<Snapshot>,
    making: Mutex<Making>,
    /// Held while a batch is made.
    changing: Mutex<()>,
    resolver: dns::Resolver,
    tls: Contexts,
}

/// One published state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Grows with each.
    pub(crate) generation: u64,
    pub(crate) by_name: HashMap<Arc<str>, Arc<SharedCluster>>,
}

/// What making a cluster needs.
#[derive(Debug, Default)]
struct Making {
    made: u64,
    /// Of clusters that are there or are still used, by the name of their metrics.
    stats: HashMap<Arc<str>, Weak<ClusterStats>>,
}

impl ClusterManager {
    /// Publishes the clusters of a bootstrap. DNS lookups and ejection sweeps run on `control`.
    pub fn new(clusters: &[Arc<Cluster>], stats: &Registry, control: &Handle) -> Arc<Self> {
        let manager = Arc::new(Self {
            stats: stats.clone(),
            control: control.clone(),
            snapshot: ArcSwap::default(),
            making: Mutex::default(),
            changing: Mutex::new(()),
            resolver: dns::Resolver::default(),
            tls: Contexts::default(),
        });
        manager.update(clusters);
        manager
    }

    /// Publishes these clusters and no others.
    pub fn update(&self, clusters: &[Arc<Cluster>]) {
        self.batch(|batch| {
            let kept: ahash::HashSet<&Arc<str>> = clusters.iter().map(|c| &c.name).collect();
            let gone = batch.names().filter(|name| !kept.contains(name));
            for name in gone.cloned().collect::<Vec<_>>() {
                batch.remove_cluster(&name);
            }
            for cluster in clusters {
                batch.add(self.prepare_as(Arc::clone(cluster), false));
            }
        });
    }

    /// Adds a cluster, or puts it in the place of the one of that name.
    pub fn set_cluster(&self, cluster: Arc<Cluster>) {
        self.batch(|batch| batch.set_cluster(cluster));
    }

    /// Removes a cluster; whether there was one of that name.
    pub fn remove_cluster(&self, name: &str) -> bool {
        self.batch(|batch| batch.remove_cluster(name))
    }

    /// Sets the endpoints of an EDS cluster; whether there is one of that name. It costs what
    /// this cluster's endpoints cost, however many clusters there are.
    pub fn set_endpoints(&self, cluster: &str, assignment: &LoadAssignment) -> bool {
        match self.snapshot.load().by_name.get(cluster) {
            Some(cluster) => cluster.set_discovered(assignment),
            None => false,
        }
    }

    /// Makes many changes, of which requests see all or nothing. Within `change` the manager's
    /// own methods must not be called.
    pub fn batch<T>(&self, change: impl FnOnce(&mut Batch<'_>) -> T) -> T {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::new(self);
        let result = change(&mut batch);
        batch.publish();
        result
    }

    /// Makes a cluster without publishing it yet, so that its names can be resolved and its
    /// endpoints set before requests meet it. Dropping it undoes that.
    pub fn prepare(&self, cluster: Arc<Cluster>) -> Warming {
        self.prepare_as(cluster, true)
    }

    fn prepare_as(&self, cluster: Arc<Cluster>, via_api: bool) -> Warming {
        let snapshot = self.snapshot.load();
        let before = snapshot.by_name.get(&cluster.name);
        if let Some(same) = before.filter(|before| before.can_adopt(&cluster)) {
            return Warming::of_same(Arc::clone(same), cluster);
        }
        let (id, stats) = {
            let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            making.next(&cluster.stat_name, &self.stats)
        };
        let transports = Transports::new(&cluster, &self.tls, &stats);
        let made = SharedCluster::new(
            cluster,
            Origin {
                transports,
                stats,
                control: &self.control,
                id,
                place: before.map_or(id, |before| before.place),
                via_api,
            },
        );
        if let Some(before) = before {
            made.take_over(before);
        }
        made.resolve(&self.resolver);
        Warming::of_new(made)
    }

    /// Resolves when every cluster that needs DNS had its first answer, good or bad.
    pub async fn warmed(&self) {
        let snapshot = self.snapshot.load_full();
        for mut resolved in snapshot
            .by_name
            .values()
            .filter_map(|cluster| cluster.resolved())
        {
            let _ = resolved.wait_for(|done| *done).await;
        }
    }

    /// The TLS contexts of the process, and the secrets that they use; listeners use them too.
    pub fn tls(&self) -> &Contexts {
        &self.tls
    }

    /// A worker's view. Its pools are built when first used, and used only on that worker.
    pub fn worker(self: &Arc<Self>) -> Clusters {
        Clusters::new(Arc::clone(self))
    }

    /// Whether a cluster of that name is published.
    pub fn contains(&self, name: &str) -> bool {
        self.snapshot.load().by_name.contains_key(name)
    }

    /// The clusters now.
    pub(crate) fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// What the clusters' TLS contexts hold, but for those whose secrets have not come.
    pub fn certificates(&self) -> Vec<InUse> {
        let clusters = self.in_order(|_| true);
        let contexts = clusters.iter().flat_map(|one| one.transports.contexts());
        contexts.filter_map(|context| context.in_use()).collect()
    }

    /// When the first of their certificates expires.
    pub fn first_certificate_end(&self) -> Option<SystemTime> {
        let snapshot = self.snapshot.load();
        let clusters = snapshot.by_name.values();
        let contexts = clusters.flat_map(|one| one.transports.contexts());
        contexts.filter_map(|context| context.first_end()).min()
    }

    /// The text of `/clusters`, in Envoy's format.
    pub fn admin_text(&self) -> String {
        self.admin_text_of(|_| true)
    }

    /// The same of the clusters whose names are `named`.
    pub fn admin_text_of(&self, named: impl Fn(&str) -> bool) -> String {
        admin::text(&self.in_order(named))
    }

    /// The same as data.
    pub fn statuses(&self, named: impl Fn(&str) -> bool) -> Vec<ClusterStatus> {
        let clusters = self.in_order(named);
        clusters.iter().map(|one| ClusterStatus::of(one)).collect()
    }

    fn in_order(&self, named: impl Fn(&str) -> bool) -> Vec<Arc<SharedCluster>> {
        let snapshot = self.snapshot.load();
        let clusters = snapshot.by_name.values();
        let mut clusters: Vec<_> = clusters
            .filter(|cluster| named(&cluster.config.name))
            .map(Arc::clone)
            .collect();
        clusters.sort_by_key(|cluster| cluster.place);
        clusters
    }
}

impl Making {
    /// The next cluster's id, and its metrics: those of other clusters with that name for
    /// them, while one of those is used.
    fn next(&mut self, name: &Arc<str>, registry: &Registry) -> (u64, Arc<ClusterStats>) {
        self.made += 1;
        if self.stats.len() == self.stats.capacity() {
            self.stats.retain(|_, stats| stats.strong_count() > 0);
        }
        let stats = self.stats.get(name).and_then(Weak::upgrade);
        let stats = stats.unwrap_or_else(|| {
            let stats = Arc::new(ClusterStats::new(name));
            registry.add(&stats);
            self.stats.insert(Arc::clone(name), Arc::downgrade(&stats));
            stats
        });
        (self.made, stats)
    }
}
