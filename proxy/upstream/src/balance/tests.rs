use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tandem_model::Percent;
use tandem_model::cluster::EndpointHealth;

use super::*;
use crate::host::{Host, HostState};

fn host(n: u8, weight: u32, priority: u32, health: EndpointHealth) -> Arc<Host> {
    let address = SocketAddr::from(([127, 0, 0, n], 80));
    Arc::new(Host {
        address,
        text: address.to_string().into(),
        hostname: "".into(),
        weight,
        priority,
        locality: Default::default(),
        health,
        state: Arc::new(HostState::default()),
    })
}

fn set(hosts: &[(u32, u32, EndpointHealth)]) -> HostSet {
    let hosts = (1..)
        .zip(hosts)
        .map(|(n, (weight, priority, health))| host(n, *weight, *priority, *health))
        .collect();
    HostSet::new(hosts, 140, Percent::from_f64(50.0))
}

fn counts(policy: &LbPolicy, set: &HostSet, picks: usize) -> Vec<usize> {
    let cursor = AtomicUsize::new(0);
    let mut counts = vec![0; set.hosts.len()];
    for _ in 0..picks {
        counts[pick(policy, set, &cursor).unwrap()] += 1;
    }
    counts
}

use EndpointHealth::{Degraded, Healthy, Unhealthy};

/// Equal hosts take turns.
#[test]
fn round_robin_takes_turns() {
    let set = set(&[(1, 0, Healthy), (1, 0, Healthy), (1, 0, Healthy)]);
    assert_eq!(counts(&LbPolicy::RoundRobin, &set, 9), [3, 3, 3]);
}

/// Weights are met exactly over a round.
#[test]
fn round_robin_obeys_weights() {
    let set = set(&[(3, 0, Healthy), (1, 0, Healthy), (6, 0, Healthy)]);
    assert_eq!(counts(&LbPolicy::RoundRobin, &set, 100), [30, 10, 60]);
}

/// A heavy host's turns are spread, not bunched.
#[test]
fn turns_of_a_heavy_host_are_spread() {
    let schedule = Schedule::new(&[2, 2, 4]);
    let order: Vec<_> = (0..schedule.len()).map(|turn| schedule.at(turn)).collect();
    assert!(order.windows(3).all(|w| w != [2, 2, 2]), "{order:?}");
    assert_eq!(order.len(), 4);
}

/// Random choice follows the weights within sampling error.
#[test]
fn random_obeys_weights() {
    let set = set(&[(1, 0, Healthy), (3, 0, Healthy)]);
    let counts = counts(&LbPolicy::Random, &set, 10_000);
    assert!((2200..2800).contains(&counts[0]), "{counts:?}");
}

/// The busier of two candidates is passed over.
#[test]
fn least_request_avoids_the_busy_host() {
    let set = set(&[(1, 0, Healthy), (1, 0, Healthy)]);
    set.hosts[0].state.active_requests.store(10, Relaxed);
    let policy = LbPolicy::LeastRequest { choice_count: 2 };
    let counts = counts(&policy, &set, 4000);
    // The busy host is chosen only when both candidates are it: one in four.
    assert!((800..1200).contains(&counts[0]), "{counts:?}");
}

/// A lower priority gets what the higher cannot bear with overprovisioning.
#[test]
fn priorities_overflow_with_overprovisioning() {
    let set = set(&[(1, 0, Healthy), (1, 0, Unhealthy), (1, 1, Healthy)]);
    let counts = counts(&LbPolicy::RoundRobin, &set, 10_000);
    assert!((6700..7300).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[1], 0);
}

/// Below the threshold health is ignored.
#[test]
fn too_few_healthy_hosts_is_panic() {
    let few = set(&[(1, 0, Healthy), (1, 0, Unhealthy), (1, 0, Unhealthy)]);
    assert!(few.panic);
    assert_eq!(counts(&LbPolicy::RoundRobin, &few, 9), [3, 3, 3]);
    let enough = set(&[(1, 0, Healthy), (1, 0, Healthy), (1, 0, Unhealthy)]);
    assert!(!enough.panic);
    assert_eq!(counts(&LbPolicy::RoundRobin, &enough, 10), [5, 5, 0]);
}

/// Without a threshold and without healthy hosts there is no choice.
#[test]
fn no_healthy_host_and_no_panic_is_no_choice() {
    let hosts = vec![host(1, 1, 0, Unhealthy)];
    let set = HostSet::new(hosts, 140, Percent::from_f64(0.0));
    assert!(pick(&LbPolicy::RoundRobin, &set, &AtomicUsize::new(0)).is_none());
    assert!(pick(&LbPolicy::Random, &HostSet::default(), &AtomicUsize::new(0)).is_none());
}

/// Degraded hosts serve what healthy ones cannot.
#[test]
fn degraded_hosts_serve_the_rest() {
    let set = set(&[(1, 0, Healthy), (1, 0, Degraded)]);
    let counts = counts(&LbPolicy::RoundRobin, &set, 10_000);
    assert!((6700..7300).contains(&counts[0]), "{counts:?}");
}
