use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tandem_model::Address;
use tandem_model::bootstrap::Locality;
use tandem_model::cluster::{Endpoint, EndpointHealth};

use super::*;
use crate::host::{Group, Host, Rules};

fn host(n: u8, weight: u32, priority: u32, health: EndpointHealth) -> Arc<Host> {
    in_zone(n, weight, priority, health, "", None)
}

fn in_zone(
    n: u8,
    weight: u32,
    priority: u32,
    health: EndpointHealth,
    zone: &str,
    zone_weight: Option<u32>,
) -> Arc<Host> {
    let address = SocketAddr::from(([127, 0, 0, n], 80));
    let endpoint = Endpoint {
        weight,
        health,
        ..Endpoint::new(Address::Socket(address))
    };
    let group = Group {
        locality: Locality {
            zone: zone.into(),
            ..Locality::default()
        },
        priority,
        weight: zone_weight,
    };
    Arc::new(Host::new(
        Address::Socket(address),
        &endpoint,
        &Arc::new(group),
        Arc::default(),
    ))
}

fn set(hosts: &[(u32, u32, EndpointHealth)]) -> HostSet {
    let hosts = (1..)
        .zip(hosts)
        .map(|(n, (weight, priority, health))| host(n, *weight, *priority, *health))
        .collect();
    HostSet::new(hosts, Rules::default())
}

fn counts(policy: &LbPolicy, set: &HostSet, picks: usize) -> Vec<usize> {
    let cursors = Cursors::new(set);
    let mut counts = vec![0; set.hosts.len()];
    for _ in 0..picks {
        counts[pick(policy, set, &cursors).unwrap().host] += 1;
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
    assert!(few.levels[0].panic);
    assert_eq!(counts(&LbPolicy::RoundRobin, &few, 9), [3, 3, 3]);
    let enough = set(&[(1, 0, Healthy), (1, 0, Healthy), (1, 0, Unhealthy)]);
    assert!(!enough.levels[0].panic);
    assert_eq!(counts(&LbPolicy::RoundRobin, &enough, 10), [5, 5, 0]);
}

/// Without a threshold and without healthy hosts there is no choice.
#[test]
fn no_healthy_host_and_no_panic_is_no_choice() {
    let hosts = vec![host(1, 1, 0, Unhealthy)];
    let rules = Rules {
        panic_below: 0,
        ..Rules::default()
    };
    let set = HostSet::new(hosts, rules);
    assert!(pick(&LbPolicy::RoundRobin, &set, &Cursors::new(&set)).is_none());
    let none = HostSet::default();
    assert!(pick(&LbPolicy::Random, &none, &Cursors::new(&none)).is_none());
}

/// Degraded hosts serve what healthy ones cannot.
#[test]
fn degraded_hosts_serve_the_rest() {
    let set = set(&[(1, 0, Healthy), (1, 0, Degraded)]);
    let counts = counts(&LbPolicy::RoundRobin, &set, 10_000);
    assert!((6700..7300).contains(&counts[0]), "{counts:?}");
}

fn zones(zones: &[(u32, &[EndpointHealth])], panic_below: u32) -> HostSet {
    let mut hosts = Vec::new();
    for (name, (weight, members)) in ["a", "b", "c"].iter().zip(zones) {
        for health in *members {
            let n = hosts.len() as u8 + 1;
            hosts.push(in_zone(n, 1, 0, *health, name, Some(*weight)));
        }
    }
    let rules = Rules {
        locality_weighted: true,
        panic_below,
        ..Rules::default()
    };
    HostSet::new(hosts, rules)
}

/// Localities take turns by their weights, however many hosts they have, and within one its
/// hosts take turns.
#[test]
fn localities_obey_their_weights() {
    let set = zones(&[(1, &[Healthy]), (3, &[Healthy, Healthy, Healthy])], 50);
    assert_eq!(
        counts(&LbPolicy::RoundRobin, &set, 1200),
        [300, 300, 300, 300]
    );
    let set = zones(&[(1, &[Healthy, Healthy]), (2, &[Healthy])], 50);
    assert_eq!(counts(&LbPolicy::RoundRobin, &set, 1200), [200, 200, 800]);
}

/// Envoy's documented example: of a locality of weight 1 and one of weight 2, the second with
/// 50 % of its hosts, 70 % of its weight is left.
#[test]
fn a_locality_that_lost_hosts_takes_less() {
    let set = zones(&[(1, &[Healthy]), (2, &[Healthy, Unhealthy])], 0);
    let counts = counts(&LbPolicy::RoundRobin, &set, 2400);
    assert_eq!(counts, [1000, 1400, 0]);
}

/// One without a weight, or with nobody left, takes nothing.
#[test]
fn localities_without_weight_or_hosts_take_nothing() {
    let set = zones(&[(0, &[Healthy]), (1, &[Healthy, Healthy])], 0);
    assert_eq!(counts(&LbPolicy::RoundRobin, &set, 10), [0, 5, 5]);
    let set = zones(&[(5, &[Unhealthy]), (1, &[Healthy, Healthy])], 0);
    assert_eq!(counts(&LbPolicy::RoundRobin, &set, 10), [0, 5, 5]);
}

/// Where no locality has a weight, and in panic, all hosts share.
#[test]
fn weights_of_localities_do_not_count_in_panic() {
    let set = zones(&[(0, &[Healthy]), (0, &[Healthy])], 0);
    assert_eq!(counts(&LbPolicy::RoundRobin, &set, 10), [5, 5]);
    let set = zones(&[(9, &[Unhealthy, Unhealthy]), (1, &[Healthy])], 50);
    assert_eq!(counts(&LbPolicy::RoundRobin, &set, 9), [3, 3, 3]);
}

/// Weights as large as they may be are compared too.
#[test]
fn large_weights_of_localities_are_obeyed() {
    let set = zones(&[(u32::MAX, &[Healthy]), (u32::MAX / 3, &[Healthy])], 0);
    let counts = counts(&LbPolicy::RoundRobin, &set, 4000);
    assert!((2950..3050).contains(&counts[0]), "{counts:?}");
}
