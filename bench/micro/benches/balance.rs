//! Choosing the host of a cluster: the look-up of the cluster, the pick, the look-up of its pool.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tandem_core::stats::Registry;
use tandem_model::cluster::{
    Discovery, Endpoint, EndpointHealth, LbPolicy, LoadAssignment, LocalityEndpoints, Thresholds,
    UpstreamHttp,
};
use tandem_model::{Address, Cluster, Percent};
use tandem_upstream::ClusterManager;

/// A static cluster; every host has one more weight than the one before if `weighted`.
fn cluster(lb_policy: &LbPolicy, hosts: u16, weighted: bool) -> Arc<Cluster> {
    let endpoints = (0..hosts).map(|number| Endpoint {
        address: Address::Socket(SocketAddr::from(([127, 0, 0, 1], 10_000 + number))),
        hostname: "".into(),
        weight: if weighted { 1 + u32::from(number) } else { 1 },
        health: EndpointHealth::Healthy,
    });
    let locality = LocalityEndpoints {
        locality: tandem_model::bootstrap::Locality::default(),
        priority: 0,
        weight: None,
        endpoints: endpoints.collect(),
    };
    Arc::new(Cluster {
        name: "bench".into(),
        stat_name: "bench".into(),
        discovery: Discovery::Static,
        load_assignment: LoadAssignment {
            localities: vec![locality],
            overprovisioning_factor: 140,
        },
        connect_timeout: Duration::from_secs(1),
        lb_policy: lb_policy.clone(),
        healthy_panic_threshold: Percent::from_f64(50.0),
        circuit_breakers: Thresholds::default(),
        circuit_breakers_high: Thresholds::default(),
        outlier_detection: None,
        http: UpstreamHttp::default(),
        per_connection_buffer_limit_bytes: 1 << 20,
        tcp_keepalive: None,
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
