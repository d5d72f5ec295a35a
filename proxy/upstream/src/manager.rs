//! The clusters of the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ahash::HashMap;
use arc_swap::ArcSwap;
use tandem_core::stats::Registry;
use tandem_model::Cluster;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::cluster::SharedCluster;
use crate::{Clusters, admin, dns, outlier};

/// All clusters and what the whole process knows of them. DNS lookups and the sweeps that end
/// ejections run on the control runtime; workers only read.
#[derive(Debug)]
pub struct ClusterManager {
    stats: Registry,
    control: Handle,
    snapshot: ArcSwap<Snapshot>,
    tasks: Mutex<HashMap<Arc<str>, Tasks>>,
    resolver: dns::Resolver,
}

/// One published state: clusters in configuration order, and by name.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) clusters: Vec<Arc<SharedCluster>>,
    pub(crate) by_name: HashMap<Arc<str>, usize>,
}

/// What runs for one cluster; ends with it.
#[derive(Debug, Default)]
struct Tasks {
    running: Vec<AbortHandle>,
    resolved: Option<watch::Receiver<bool>>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.running {
            task.abort();
        }
    }
}

impl ClusterManager {
    /// Publishes the first clusters. DNS lookups and ejection sweeps run on `control`.
    pub fn new(clusters: &[Arc<Cluster>], stats: &Registry, control: &Handle) -> Arc<Self> {
        let manager = Arc::new(Self {
            stats: stats.clone(),
            control: control.clone(),
            snapshot: ArcSwap::default(),
            tasks: Mutex::default(),
            resolver: dns::Resolver::default(),
        });
        manager.update(clusters);
        manager
    }

    /// Publishes other clusters. A cluster that is equal to the one before keeps its state and
    /// its pools; one of which only the endpoints differ keeps the hosts that stay.
    pub fn update(&self, clusters: &[Arc<Cluster>]) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.snapshot.load_full();
        let mut next = Snapshot::default();
        let mut kept: HashMap<Arc<str>, Tasks> = HashMap::default();
        for config in clusters {
            let before = old
                .by_name
                .get(&config.name)
                .map(|place| &old.clusters[*place])
                .filter(|before| before.adopt(config));
            let cluster = match before {
                Some(before) => {
                    if let Some(running) = tasks.remove(&config.name) {
                        kept.insert(Arc::clone(&config.name), running);
                    }
                    Arc::clone(before)
                }
                None => {
                    let cluster = SharedCluster::new(Arc::clone(config), &self.stats);
                    kept.insert(Arc::clone(&config.name), self.start(&cluster));
                    cluster
                }
            };
            next.by_name
                .insert(Arc::clone(&config.name), next.clusters.len());
            next.clusters.push(cluster);
        }
        *tasks = kept;
        self.stats
            .plain("cluster_manager")
            .gauge("active_clusters")
            .set(i64::try_from(next.clusters.len()).unwrap_or(i64::MAX));
        self.snapshot.store(Arc::new(next));
    }

    fn start(&self, cluster: &Arc<SharedCluster>) -> Tasks {
        let mut tasks = Tasks::default();
        if cluster.config.discovery.dns().is_some() {
            let (first, resolved) = watch::channel(false);
            let task = dns::run(self.resolver.clone(), Arc::clone(cluster), first);
            tasks.running.push(self.control.spawn(task).abort_handle());
            tasks.resolved = Some(resolved);
        }
        if let Some(detection) = &cluster.config.outlier_detection {
            let interval = detection.interval.max(Duration::from_millis(1));
            let task = outlier::sweep(Arc::clone(cluster), interval);
            tasks.running.push(self.control.spawn(task).abort_handle());
        }
        tasks
    }

    /// Resolves when every cluster that needs DNS had its first answer, good or bad.
    pub async fn warmed(&self) {
        let waiting: Vec<_> = {
            let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.values().filter_map(|t| t.resolved.clone()).collect()
        };
        for mut resolved in waiting {
            let _ = resolved.wait_for(|done| *done).await;
        }
    }

    /// A worker's view. Its pools are built when first used, and used only on that worker.
    pub fn worker(self: &Arc<Self>) -> Clusters {
        Clusters::new(Arc::clone(self))
    }

    /// The clusters now.
    pub(crate) fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The text of `/clusters`, in Envoy's format.
    pub fn admin_text(&self) -> String {
        admin::text(&self.snapshot.load().clusters)
    }
}
