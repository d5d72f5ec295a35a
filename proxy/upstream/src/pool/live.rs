//! An open connection, counted for as long as it is open.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::HostPool;
use crate::breaker::Permit;
use crate::cluster::SharedCluster;
use crate::host::HostState;

/// Counts one connection; uncounts it when dropped, and lets the next waiting request try.
#[derive(Debug)]
pub(crate) struct Live {
    pool: Weak<HostPool>,
    cluster: Arc<SharedCluster>,
    host: Arc<HostState>,
    pub(crate) opened: Instant,
    /// Whether a request is using it.
    pub(crate) busy: bool,
    /// Whether the peer ended it.
    pub(crate) by_peer: bool,
    permit: Option<Permit>,
    /// Of its host, when it was opened.
    drains: u32,
}

impl Live {
    pub(crate) fn new(pool: &Arc<HostPool>, permit: Permit) -> Self {
        super::http1::count_open(pool);
        pool.cluster.stats.upstream_cx_total.inc();
        pool.cluster.stats.upstream_cx_active.add(1);
        pool.host.state.active_connections.fetch_add(1, Relaxed);
        pool.host.state.total_connections.fetch_add(1, Relaxed);
        Self {
            pool: Arc::downgrade(pool),
            cluster: Arc::clone(&pool.cluster),
            host: Arc::clone(&pool.host.state),
            opened: Instant::now(),
            busy: false,
            by_peer: false,
            permit: Some(permit),
            drains: pool.host.state.drains.load(Relaxed),
        }
    }

    /// Whether its host's connections were given up since it was opened.
    pub(crate) fn is_drained(&self) -> bool {
        self.drains != self.host.drains.load(Relaxed)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.permit.take());
        let stats = &self.cluster.stats;
        stats.upstream_cx_active.add(-1);
        stats.upstream_cx_destroy.inc();
        if self.by_peer {
            stats.upstream_cx_destroy_remote.inc();
        } else {
            stats.upstream_cx_destroy_local.inc();
        }
        if self.busy {
            stats.upstream_cx_destroy_with_active_rq.inc();
            if self.by_peer {
                stats.upstream_cx_destroy_remote_with_active_rq.inc();
            } else {
                stats.upstream_cx_destroy_local_with_active_rq.inc();
            }
        }
        stats.upstream_cx_length_ms.record(self.opened.elapsed());
        self.host.active_connections.fetch_sub(1, Relaxed);
        if let Some(pool) = self.pool.upgrade() {
            super::http1::wake_next(&pool);
        }
    }
}
