use tandem_core::Body;
use tandem_core::stats::Registry;

use super::*;
use crate::ClusterManager;

/// Every request allocates and moves this future: it must not grow unnoticed.
#[tokio::test]
async fn the_future_of_a_request_stays_small() {
    let stats = Registry::default();
    let manager = ClusterManager::new(&[], &stats, &tokio::runtime::Handle::current());
    let forward = Arc::new(Forward {
        clusters: manager.worker(),
        policy: Arc::default(),
        expected: None,
    });
    let future = run(forward, Request::new(Body::empty()));
    let size = std::mem::size_of_val(&future);
    assert!(size <= 3072, "{size} bytes");
}
