//! Many changes at once.

use std::sync::Arc;

use tandem_model::Cluster;
use tandem_model::cluster::LoadAssignment;

use super::{ClusterManager, Snapshot, Warming};
use crate::cluster::{Heard, SharedCluster};

/// Changes that requests will see together. Endpoints of clusters that requests already meet are
/// the exception: each cluster's change at once.
pub struct Batch<'a> {
    manager: &'a ClusterManager,
    before: Arc<Snapshot>,
    /// Copied with the first change of which clusters there are.
    next: Option<Snapshot>,
    replaced: Vec<Arc<SharedCluster>>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(manager: &'a ClusterManager) -> Self {
        Self {
            manager,
            before: manager.snapshot.load_full(),
            next: None,
            replaced: Vec::new(),
        }
    }

    /// The names of the clusters as they will be.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.next.as_ref().unwrap_or(&self.before).by_name.keys()
    }

    /// Adds a cluster, or puts it in the place of the one of that name.
    pub fn set_cluster(&mut self, cluster: Arc<Cluster>) {
        let warming = self.manager.prepare(cluster);
        self.add(warming);
    }

    /// Adds a cluster that was prepared.
    pub fn add(&mut self, mut warming: Warming) {
        let Some((cluster, config)) = warming.take() else {
            return;
        };
        let name = &config.name;
        let before = self.next.as_ref().unwrap_or(&self.before).by_name.get(name);
        if before.is_some_and(|before| Arc::ptr_eq(before, &cluster)) {
            return cluster.adopt(&config);
        }
        if cluster.is_retired() {
            // Prepared while another was published that has gone since: made anew.
            let again = self.manager.prepare(config);
            return self.add(again);
        }
        let next = self.next.get_or_insert_with(|| (*self.before).clone());
        let before = next.by_name.insert(Arc::clone(name), cluster);
        self.replaced.extend(before);
    }

    /// Removes a cluster; whether there was one of that name.
    pub fn remove_cluster(&mut self, name: &str) -> bool {
        if self.next.is_none() && !self.before.by_name.contains_key(name) {
            return false;
        }
        let next = self.next.get_or_insert_with(|| (*self.before).clone());
        let before = next.by_name.remove(name);
        let existed = before.is_some();
        self.replaced.extend(before);
        existed
    }

    /// Sets the endpoints of an EDS cluster, one of this batch too; whether there is one of that
    /// name.
    pub fn set_endpoints(&mut self, cluster: &str, assignment: &LoadAssignment) -> bool {
        match self
            .next
            .as_ref()
            .unwrap_or(&self.before)
            .by_name
            .get(cluster)
        {
            Some(cluster) => cluster.set_discovered(assignment),
            None => false,
        }
    }

    /// Counts what was heard of the endpoints of a cluster that is served.
    pub fn heard(&self, cluster: &str, heard: Heard) {
        let now = self.next.as_ref().unwrap_or(&self.before);
        if let Some(cluster) = now.by_name.get(cluster) {
            cluster.heard(heard);
        }
    }

    pub(super) fn publish(self) {
        let Some(mut next) = self.next else { return };
        next.generation += 1;
        for cluster in next.by_name.values() {
            cluster.publish();
        }
        let count = i64::try_from(next.by_name.len()).unwrap_or(i64::MAX);
        self.manager
            .stats
            .plain("cluster_manager")
            .gauge("active_clusters")
            .set(count);
        self.manager.snapshot.store(Arc::new(next));
        for cluster in self.replaced {
            cluster.retire();
        }
    }
}
