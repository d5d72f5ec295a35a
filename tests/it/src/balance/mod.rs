//! Who gets a request, counted at the endpoints: policies, weights, ejection, panic; and how many
//! requests may be tried again at once.

mod cluster;
mod destinations;
mod gate;
mod names;
mod priorities;
mod retries;
mod sockets;

use cluster::Cluster;
use gate::Gate;
use tandem_harness::client::h1;
use tandem_harness::{Kind, wait};

use crate::doors::backend::Backend;

/// Six standard deviations: a correct build leaves them less than once in five hundred million
/// draws.
const DEVIATIONS: f64 = 6.0;

/// Whether `found` of `of` draws may come from a chance of `chance`.
fn assert_share(what: &str, found: usize, of: usize, chance: f64) {
    let expected = chance * of as f64;
    let bound = DEVIATIONS * (of as f64 * chance * (1.0 - chance)).sqrt();
    assert!(
        (found as f64 - expected).abs() <= bound,
        "{what}: expected {expected:.0} ± {bound:.0} of {of}, got {found}"
    );
}

/// Endpoints that are always well or never.
async fn backends(well: usize, sick: usize) -> Vec<Backend> {
    let mut all = Vec::new();
    for number in 0..well + sick {
        let unwell = if number < well { usize::MAX } else { 1 };
        all.push(Backend::start("any", unwell).await);
    }
    all
}

fn served(backends: &[Backend]) -> Vec<usize> {
    backends.iter().map(Backend::served).collect()
}

/// What each endpoint gets of `count` more requests.
async fn more(cluster: &Cluster, backends: &[Backend], count: usize) -> Vec<usize> {
    let before = served(backends);
    cluster.call(count).await;
    let after = served(backends);
    after.iter().zip(before).map(|(a, b)| a - b).collect()
}

/// What endpoints of these weights get of `count` requests.
async fn shares(policy: &str, weights: [u32; 3], count: usize) -> Vec<usize> {
    let backends = backends(3, 0).await;
    let ports = backends.iter().map(|backend| backend.port);
    let endpoints: Vec<_> = ports.zip(weights).collect();
    let cluster = Cluster::start(&choosing(policy), &endpoints).await;
    more(&cluster, &backends, count).await
}

/// The same policy by its number or, if that is how it is named, by its message.
fn choosing(policy: &str) -> String {
    match policy.contains('.') {
        false => format!("lb_policy: {policy}"),
        true => format!(
            "lb_policy: RANDOM
load_balancing_policy:
  policies:
  - typed_extension_config:
      name: unknown
      typed_config: {{ '@type': type.googleapis.com/xds.type.v3.TypedStruct, type_url: type.googleapis.com/of.Others }}
  - typed_extension_config:
      name: known
      typed_config: {{ '@type': type.googleapis.com/envoy.extensions.load_balancing_policies.{policy} }}"
        ),
    }
}

#[tokio::test]
async fn round_robin_gives_everybody_the_same() {
    for policy in ["ROUND_ROBIN", "round_robin.v3.RoundRobin"] {
        assert_eq!(shares(policy, [1, 1, 1], 300).await, [100; 3]);
    }
}

#[tokio::test]
async fn round_robin_gives_exactly_by_weight() {
    assert_eq!(shares("ROUND_ROBIN", [1, 2, 5], 400).await, [50, 100, 250]);
}

/// Idle endpoints: only the draw decides, by weight.
#[tokio::test]
async fn the_policies_that_draw_give_by_weight() {
    const COUNT: usize = 1_000;
    for policy in ["RANDOM", "LEAST_REQUEST"] {
        for weights in [[1, 1, 1], [1, 2, 5]] {
            let found = shares(policy, weights, COUNT).await;
            assert_eq!(found.iter().sum::<usize>(), COUNT);
            let total: u32 = weights.iter().sum();
            for (found, weight) in found.into_iter().zip(weights) {
                let chance = f64::from(weight) / f64::from(total);
                assert_share(&format!("{policy} {weights:?}"), found, COUNT, chance);
            }
        }
    }
}

/// Of two endpoints the busy one is taken only if both of the two draws fall on it; RANDOM does
/// not look.
#[tokio::test]
async fn least_request_avoids_the_busy_one() {
    const COUNT: usize = 1_000;
    for (policy, chance) in [
        ("LEAST_REQUEST", 0.25),
        ("RANDOM", 0.5),
        ("least_request.v3.LeastRequest", 0.25),
        ("random.v3.Random", 0.5),
    ] {
        let gates = [Gate::start().await, Gate::start().await];
        let endpoints = [(gates[0].port, 1), (gates[1].port, 1)];
        let cluster = Cluster::start(&choosing(policy), &endpoints).await;
        let port = cluster.port;
        // For as long as all the others take together: longer than `h1::get` waits.
        let held = tokio::spawn(async move {
            let mut connection = h1::Connection::open(port).await.unwrap();
            let request = b"GET /held HTTP/1.1\r\nhost: any\r\n\r\n";
            connection.send(request).await.unwrap();
            connection.response("GET").await.unwrap().status
        });
        let kept = || gates[0].kept() + gates[1].kept() == 1;
        assert!(wait::until(wait::PATIENCE, kept).await);
        cluster.call(COUNT).await;
        let busy = gates.iter().find(|gate| gate.kept() == 1).unwrap();
        assert_share(policy, busy.served() - 1, COUNT, chance);
        busy.open();
        let held = wait::within(wait::PATIENCE, held).await;
        assert_eq!(held.expect("it is answered").unwrap(), 200);
    }
}

/// A cluster some of whose endpoints only fail, after `ejected` of them were ejected.
async fn with_sick(backends: &[Backend], ejected: u64, percent: u32, panic: u32) -> Cluster {
    let endpoints: Vec<_> = backends.iter().map(|backend| (backend.port, 1)).collect();
    let fields = format!(
        "
lb_policy: ROUND_ROBIN
common_lb_config: {{ healthy_panic_threshold: {{ value: {panic} }} }}
outlier_detection: {{ consecutive_5xx: 3, enforcing_consecutive_5xx: 100, consecutive_gateway_failure: 0, enforcing_success_rate: 0, base_ejection_time: 300s, interval: 300s, max_ejection_percent: {percent} }}"
    );
    let cluster = Cluster::start(&fields, &endpoints).await;
    cluster.call(6 * backends.len()).await;
    cluster
        .until_stat("outlier_detection.ejections_active", ejected)
        .await;
    cluster
}

/// Four of five fail, and two of five may be ejected: the others stay, however sick.
#[tokio::test]
async fn no_more_are_ejected_than_the_percentage_allows() {
    let backends = backends(1, 4).await;
    let cluster = with_sick(&backends, 2, 50, 0).await;
    let mut shares = more(&cluster, &backends, 300).await;
    assert_eq!(shares[0], 100, "the one that is well: {shares:?}");
    shares.sort_unstable();
    assert_eq!(shares, [0, 0, 100, 100, 100]);
    assert_eq!(cluster.stat("outlier_detection.ejections_active").await, 2);
    assert!(cluster.stat("outlier_detection.ejections_overflow").await > 0);
}

/// A tenth of three is less than one: none is ejected, unless one always may be. Envoy counts the
/// same.
#[tokio::test]
async fn of_few_endpoints_none_is_ejected_unless_one_always_may_be() {
    for (always, ejected) in [("false", 0), ("true", 1)] {
        for kind in [Kind::Tandem, Kind::Envoy] {
            let backends = backends(0, 3).await;
            let fields = format!(
                "
lb_policy: ROUND_ROBIN
outlier_detection: {{ consecutive_5xx: 3, consecutive_gateway_failure: 0, base_ejection_time: 300s, interval: 300s, enforcing_success_rate: 0, always_eject_one_host: {always} }}"
            );
            let ports: Vec<_> = backends.iter().map(|backend| (backend.port, 1)).collect();
            let cluster = Cluster::start_as(kind, &fields, &cluster::locality(&ports)).await;
            // Each of them fails three times, whenever it is known that one is ejected.
            cluster.call(12).await;
            let stat = async |name: &str| {
                let name = format!("outlier_detection.ejections_{name}");
                cluster.stat(&name).await
            };
            let all = || async {
                let detected = stat("detected_consecutive_5xx").await;
                detected >= 3 && stat("overflow").await + ejected == detected
            };
            let reached = wait::until_async(wait::PATIENCE, all).await;
            let (active, enforced) = (stat("active").await, stat("enforced_total").await);
            let seen = format!("{kind:?}, always: {always}");
            assert_eq!(
                (reached, active, enforced),
                (true, ejected, ejected),
                "{seen}"
            );
        }
    }
}

/// One of four is left: below the threshold everybody is asked again, ejected or not.
#[tokio::test]
async fn too_few_healthy_endpoints_is_panic() {
    let backends = backends(1, 3).await;
    let cluster = with_sick(&backends, 3, 100, 50).await;
    let before = cluster.stat("lb_healthy_panic").await;
    assert_eq!(more(&cluster, &backends, 200).await, [50; 4]);
    assert_eq!(cluster.stat("lb_healthy_panic").await, before + 200);
}

/// The same, but not below the threshold.
#[tokio::test]
async fn without_panic_the_healthy_endpoint_serves_alone() {
    for threshold in [0, 25] {
        let backends = backends(1, 3).await;
        let cluster = with_sick(&backends, 3, 100, threshold).await;
        assert_eq!(more(&cluster, &backends, 100).await, [100, 0, 0, 0]);
        assert_eq!(cluster.stat("lb_healthy_panic").await, 0);
    }
}

/// Endpoints that fail more often than the others, or than they may, though never twice in a row:
/// who is ejected, and what is counted and shown of it, is as in Envoy.
#[tokio::test]
async fn who_fails_more_often_than_others_is_ejected() {
    let off = "enforcing_success_rate: 0, success_rate_minimum_hosts: 100";
    for (what, well, sick, rules) in [
        (
            "success_rate",
            5,
            1,
            "success_rate_request_volume: 4".to_owned(),
        ),
        (
            "failure_percentage",
            1,
            1,
            format!(
                "{off}, failure_percentage_minimum_hosts: 2, failure_percentage_request_volume: 4, failure_percentage_threshold: 40, enforcing_failure_percentage: 100"
            ),
        ),
    ] {
        for kind in [Kind::Envoy, Kind::Tandem] {
            let mut backends = backends(well, 0).await;
            for _ in 0..sick {
                backends.push(Backend::start("any", 2).await);
            }
            let ports: Vec<_> = backends.iter().map(|backend| (backend.port, 1)).collect();
            let fields = format!(
                "
lb_policy: ROUND_ROBIN
outlier_detection: {{ interval: 1s, base_ejection_time: 300s, max_ejection_percent: 50, {rules} }}"
            );
            let cluster = Cluster::start_as(kind, &fields, &cluster::locality(&ports)).await;
            let stat = async |name: &str| {
                let name = format!("outlier_detection.ejections_{name}");
                cluster.stat(&name).await
            };
            let ejected = || async {
                cluster.call(20 * backends.len()).await;
                stat("active").await == 1
            };
            let reached = wait::until_async(wait::PATIENCE, ejected).await;
            let counted = [
                stat("active").await,
                stat("enforced_total").await,
                stat(&format!("detected_{what}")).await,
                stat(&format!("enforced_{what}")).await,
                stat("overflow").await,
            ];
            let seen = format!("{what}, {kind:?}");
            assert_eq!((reached, counted), (true, [1, 1, 1, 1, 0]), "{seen}");
            let spared = || async {
                let share = more(&cluster, &backends, 2 * backends.len()).await;
                share.last() == Some(&0)
            };
            assert!(wait::until_async(wait::PATIENCE, spared).await, "{seen}");
        }
    }
}
