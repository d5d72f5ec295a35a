//! Choosing the host of a cluster: the look-up of the cluster, the pick, the look-up of its pool.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tandem_core::stats::Registry;
use tandem_model::cluster::{Endpoint, LbPolicy, LoadAssignment, LocalityEndpoints};
use tandem_model::{Address, Cluster};
use tandem_upstream::ClusterManager;

/// A static cluster; every host has one more weight than the one before if `weighted`.
fn cluster(lb_policy: &LbPolicy, hosts: u16, weighted: bool) -> Arc<Cluster> {
    let endpoint = Endpoint::new(Address::Socket(SocketAddr::from(([127, 0, 0, 1], 1))));
    let endpoints = (0..hosts).map(|number| Endpoint {
        address: Address::Socket(SocketAddr::from(([127, 0, 0, 1], 10_000 + number))),
        weight: if weighted { 1 + u32::from(number) } else { 1 },
        ..endpoint.clone()
    });
    let locality = LocalityEndpoints {
        endpoints: endpoints.collect(),
        ..LocalityEndpoints::default()
    };
    Arc::new(Cluster {
        load_assignment: LoadAssignment {
            localities: vec![locality],
            overprovisioning_factor: 140,
        },
        connect_timeout: Duration::from_secs(1),
        lb_policy: lb_policy.clone(),
        ..Cluster::new("bench")
    })
}

fn balance(criterion: &mut Criterion) {
    let Ok(control) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    let _entered = control.enter();
    let policies = [
        ("round robin", LbPolicy::RoundRobin),
        ("least request", LbPolicy::LeastRequest { choice_count: 2 }),
        ("random", LbPolicy::Random),
    ];
    for weighted in [false, true] {
        for (name, policy) in &policies {
            let weights = if weighted { ", weighted" } else { "" };
            let mut group = criterion.benchmark_group(format!("host by {name}{weights}"));
            for hosts in [1, 10, 1_000] {
                let stats = Registry::default();
                let clusters = [cluster(policy, hosts, weighted)];
                let worker = ClusterManager::new(&clusters, &stats, control.handle()).worker();
                assert!(worker.pick("bench").is_some(), "a host must be found");
                group.bench_function(BenchmarkId::from_parameter(hosts), |bench| {
                    bench.iter(|| worker.pick("bench"));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, balance);
criterion_main!(benches);
