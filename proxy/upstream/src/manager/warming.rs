//! A cluster that is made, and that no request meets yet.

use std::future::Future;
use std::sync::Arc;

use tandem_model::Cluster;
use tandem_model::cluster::LoadAssignment;

use crate::cluster::SharedCluster;

/// A cluster on its way; [`super::Batch::add`] publishes it. If it differs from the published one
/// of its name in nothing but endpoints, it stands for that one.
#[derive(Debug)]
pub struct Warming {
    cluster: Option<Arc<SharedCluster>>,
    config: Arc<Cluster>,
    /// Whether it is not the published one.
    is_new: bool,
}

impl Warming {
    pub(super) fn of_same(cluster: Arc<SharedCluster>, config: Arc<Cluster>) -> Self {
        Self {
            cluster: Some(cluster),
            config,
            is_new: false,
        }
    }

    pub(super) fn of_new(cluster: Arc<SharedCluster>) -> Self {
        Self {
            config: Arc::clone(&cluster.config),
            cluster: Some(cluster),
            is_new: true,
        }
    }

    /// Whether the published cluster stays, and its endpoints with it.
    pub fn is_unchanged(&self) -> bool {
        !self.is_new
    }

    /// Sets the endpoints of an EDS cluster; at once, if the published one stays.
    pub fn set_endpoints(&self, assignment: &LoadAssignment) {
        if let Some(cluster) = &self.cluster {
            cluster.set_discovered(assignment);
        }
    }

    /// Resolves when its names were looked up once, with success or without; at once if it has
    /// none.
    pub fn warmed(&self) -> impl Future<Output = ()> + Send + use<> {
        let resolved = self.cluster.as_ref().and_then(|cluster| cluster.resolved());
        async move {
            if let Some(mut resolved) = resolved {
                let _ = resolved.wait_for(|done| *done).await;
            }
        }
    }

    pub(super) fn take(&mut self) -> Option<(Arc<SharedCluster>, Arc<Cluster>)> {
        let cluster = self.cluster.take()?;
        Some((cluster, Arc::clone(&self.config)))
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.take().filter(|_| self.is_new) {
            cluster.retire();
        }
    }
}
