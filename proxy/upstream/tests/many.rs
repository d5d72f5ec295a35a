//! What clusters cost that nobody uses.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tandem_core::stats::Registry;
use tandem_model::cluster::*;
use tandem_model::config_source::{Origin, ResourceKey, Subscribed};
use tandem_model::{Address, Cluster};
use tandem_upstream::ClusterManager;

const CLUSTERS: u32 = 10_000;
const ENDPOINTS: u32 = 10;

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn name(number: u32) -> String {
    format!("outbound|80||service-{number}.default.svc.cluster.local")
}

fn cluster(number: u32) -> Arc<Cluster> {
    let name: Arc<str> = name(number).into();
    Arc::new(Cluster {
        discovery: Discovery::Eds(Subscribed {
            key: ResourceKey {
                origin: Origin::Ads,
                name: Arc::clone(&name),
            },
            initial_fetch_timeout: None,
        }),
        outlier_detection: None,
        ..Cluster::new(name)
    })
}

fn assignment(number: u32, endpoints: u32) -> LoadAssignment {
    let endpoint = |i: u32| {
        let ip = (10 << 24) + number * 16 + i;
        Endpoint::new(Address::Socket(SocketAddr::from((ip.to_be_bytes(), 8080))))
    };
    LoadAssignment {
        localities: vec![LocalityEndpoints {
            endpoints: (0..endpoints).map(endpoint).collect(),
            ..Default::default()
        }],
        overprovisioning_factor: 140,
    }
}

/// Ten thousand clusters with ten endpoints each fit into 80 MB, and to change the endpoints of
/// one costs far less than to load them.
#[tokio::test]
async fn unused_clusters_cost_little() {
    let stats = Registry::default();
    let manager = ClusterManager::new(&[], &stats, &tokio::runtime::Handle::current());
    let (before, began) = (resident(), Instant::now());
    manager.batch(|batch| {
        for number in 0..CLUSTERS {
            batch.set_cluster(cluster(number));
        }
    });
    let (bare, loaded) = (resident(), began.elapsed());
    manager.batch(|batch| {
        for number in 0..CLUSTERS {
            assert!(batch.set_endpoints(&name(number), &assignment(number, ENDPOINTS)));
        }
    });
    let (full, all) = (resident(), began.elapsed());
    // By hundreds, of which the middle one counts: something else may have had the machine.
    let mut hundreds = Vec::new();
    for hundred in 0..10 {
        let began = Instant::now();
        for number in 100 * hundred..100 * (hundred + 1) {
            assert!(manager.set_endpoints(&name(number), &assignment(number, ENDPOINTS - 1)));
        }
        hundreds.push(began.elapsed());
    }
    hundreds.sort();
    let thousand = hundreds[5] * 10;
    println!(
        "cluster {} B, endpoint {} B, {loaded:?} and {:?}, one change {:?}",
        (bare - before) / CLUSTERS as usize,
        (full - bare) / (CLUSTERS * ENDPOINTS) as usize,
        all - loaded,
        thousand / 1000,
    );
    assert!(full - before < 80 << 20, "{} bytes", full - before);
    assert!(
        thousand < all,
        "{thousand:?} for 1000 changes, {all:?} for all"
    );
}
