//! One worker's pools of an ORIGINAL_DST cluster: connections go where the downstream connection
//! was going, or where the request's header says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ahash::HashMap;
use tandem_model::cluster::OriginalDst;

use super::Asker;
use crate::cluster::SharedCluster;
use crate::pool::HostPool;

/// Longer than any process runs; control planes say "never" by such numbers.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Pools by address.
#[derive(Debug, Default)]
pub(super) struct OnDemand(Arc<Mutex<Pools>>);

#[derive(Debug, Default)]
struct Pools {
    by_address: HashMap<SocketAddr, Entry>,
    swept: bool,
}

#[derive(Debug)]
struct Entry {
    pool: Arc<HostPool>,
    /// Whether it was asked for since the latest sweep.
    used: bool,
}

impl OnDemand {
    /// The pool of the host that `asker` wants; `None` if nobody knows where it was going.
    pub(super) fn pool(
        &self,
        cluster: &Arc<SharedCluster>,
        settings: &OriginalDst,
        asker: Asker<'_>,
    ) -> Option<Arc<HostPool>> {
        let found = settings.destination(asker.headers, asker.connection.original_destination);
        if found.is_header_invalid {
            cluster.stats.original_dst_host_invalid.inc();
        }
        let address = found.address?;
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !pools.swept && settings.cleanup_interval < NEVER {
            pools.swept = true;
            let every = settings.cleanup_interval.max(Duration::from_millis(1));
            tokio::spawn(sweep(Arc::downgrade(&self.0), every));
        }
        let entry = pools.by_address.entry(address).or_insert_with(|| Entry {
            pool: HostPool::new(cluster, &cluster.host_on_demand(address)),
            used: true,
        });
        entry.used = true;
        Some(Arc::clone(&entry.pool))
    }
}

/// Drops hosts that nobody asked for since the sweep before, and that have no connections.
async fn sweep(pools: Weak<Mutex<Pools>>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(pools) = pools.upgrade() else { return };
        let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.by_address.retain(|_, entry| {
            let used = std::mem::take(&mut entry.used);
            used || Arc::strong_count(&entry.pool) > 1 || entry.pool.is_connected()
        });
    }
}
