//! Priorities, kinds of health, panic and weights of localities: shares by Envoy's arithmetic,
//! which Envoy is asked for as well.

use tandem_harness::Kind;

use super::cluster::Cluster;
use super::{Backend, assert_share, backends, more};

const COUNT: usize = 1_000;

/// One locality: its priority, its weight, the health of its endpoints.
type Locality = (u32, Option<u32>, &'static [&'static str]);

const H: &str = "HEALTHY";
const U: &str = "UNHEALTHY";
const D: &str = "DEGRADED";
const DRAINING: &str = "DRAINING";

/// What each endpoint of `localities` should get, in percent.
async fn check(common: &str, factor: u32, localities: &[Locality], expected: &[f64]) {
    let fields = format!("lb_policy: ROUND_ROBIN\ncommon_lb_config: {{ {common} }}");
    let mut statistics = Vec::new();
    for kind in [Kind::Tandem, Kind::Envoy] {
        let backends = backends(expected.len(), 0).await;
        let assignment = assignment(localities, factor, &backends);
        let cluster = Cluster::start_as(kind, &fields, &assignment).await;
        let found = more(&cluster, &backends, COUNT).await;
        let what = format!("{kind:?}, {common}, {localities:?}: {found:?}");
        for (found, percent) in found.iter().zip(expected) {
            assert_share(&what, *found, COUNT, percent / 100.0);
        }
        let mut of_this = Vec::new();
        for name in ["total", "healthy", "degraded"] {
            of_this.push(cluster.stat(&format!("membership_{name}")).await);
        }
        of_this.push(cluster.stat("upstream_cx_none_healthy").await);
        // How often a draw falls on a priority that panics is chance.
        of_this.push(u64::from(cluster.stat("lb_healthy_panic").await > 0));
        statistics.push(of_this);
    }
    assert_eq!(statistics[0], statistics[1], "{localities:?}");
}

fn assignment(localities: &[Locality], factor: u32, backends: &[Backend]) -> String {
    let mut ports = backends.iter().map(|backend| backend.port);
    let mut text = String::new();
    for (number, (priority, weight, endpoints)) in localities.iter().enumerate() {
        text += &format!("\n- locality: {{ zone: z{number} }}\n  priority: {priority}");
        if let Some(weight) = weight {
            text += &format!("\n  load_balancing_weight: {weight}");
        }
        text += "\n  lb_endpoints:";
        for health in *endpoints {
            let port = ports.next().unwrap();
            let address = format!("socket_address: {{ address: 127.0.0.1, port_value: {port} }}");
            text += &format!(
                "\n  - {{ health_status: {health}, endpoint: {{ address: {{ {address} }} }} }}"
            );
        }
    }
    // Follows the list in the assignment.
    text + &format!("\npolicy: {{ overprovisioning_factor: {factor} }}")
}

/// A priority whose healthy part, with what it can bear beyond its share, does not suffice lets
/// the next one help.
#[tokio::test]
async fn a_lower_priority_takes_the_rest() {
    let localities = [(0, None, &[H, U][..]), (1, None, &[H])];
    check("", 140, &localities, &[70.0, 0.0, 30.0]).await;
    check("", 100, &localities, &[50.0, 0.0, 50.0]).await;
    check("", 200, &localities, &[100.0, 0.0, 0.0]).await;
}

/// Degraded endpoints serve when no healthy one of any priority can.
#[tokio::test]
async fn degraded_endpoints_come_last() {
    let alone = [(0, None, &[H, D][..])];
    check("", 140, &alone, &[70.0, 30.0]).await;
    let helped = [(0, None, &[H, D][..]), (1, None, &[H])];
    check("", 140, &helped, &[70.0, 0.0, 30.0]).await;
    let both = [(0, None, &[D, U][..]), (1, None, &[H, U])];
    check("", 140, &both, &[30.0, 0.0, 70.0, 0.0]).await;
}

/// One that drains is not taken, and does not count as well.
#[tokio::test]
async fn draining_endpoints_are_left_alone() {
    let localities = [(0, None, &[H, DRAINING, H, H][..])];
    check(
        "",
        140,
        &localities,
        &[100.0 / 3.0, 0.0, 100.0 / 3.0, 100.0 / 3.0],
    )
    .await;
    let none = [(0, None, &[DRAINING, DRAINING][..])];
    check("", 140, &none, &[50.0, 50.0]).await;
    check("healthy_panic_threshold: {}", 140, &none, &[0.0, 0.0]).await;
}

/// One priority of two may panic; if both do, endpoints share by number.
#[tokio::test]
async fn priorities_panic_by_themselves() {
    let one = [
        (0, None, &[H, U, U, U, U, U, U, U, U, U][..]),
        (1, None, &[H, H, H, U, U]),
    ];
    let mut expected = vec![1.5; 10];
    expected.extend([85.0 / 3.0, 85.0 / 3.0, 85.0 / 3.0, 0.0, 0.0]);
    check("", 140, &one, &expected).await;
    let both = [(0, None, &[H, U, U, U, U][..]), (1, None, &[H, U, U])];
    let mut expected = vec![63.0 / 5.0; 5];
    expected.extend([37.0 / 3.0; 3]);
    check("", 140, &both, &expected).await;
}

/// A threshold of 100 panics as soon as anybody is missed; nobody is asked for a priority
/// without endpoints.
#[tokio::test]
async fn thresholds_and_gaps_are_obeyed() {
    let half = [(0, None, &[H, U][..])];
    let all = "healthy_panic_threshold: { value: 100 }";
    check(all, 140, &half, &[50.0, 50.0]).await;
    let gap = [(1, None, &[H][..]), (3, None, &[H])];
    check("", 140, &gap, &[100.0, 0.0]).await;
}

/// Localities share by weight, however many endpoints they have; less of a locality that lost
/// some, nothing of one without a weight.
#[tokio::test]
async fn localities_share_by_weight() {
    let weighted = "locality_weighted_lb_config: {}";
    let full = [(0, Some(2), &[H][..]), (0, Some(1), &[H, H])];
    let thirds = [200.0 / 3.0, 50.0 / 3.0, 50.0 / 3.0];
    check(weighted, 140, &full, &thirds).await;
    let lost = [(0, Some(1), &[H][..]), (0, Some(2), &[H, U])];
    let rest = [100.0 / 2.4, 140.0 / 2.4, 0.0];
    check(weighted, 140, &lost, &rest).await;
    let unset = [(0, None, &[H][..]), (0, Some(1), &[H])];
    check(weighted, 140, &unset, &[0.0, 100.0]).await;
    let degraded = [(0, Some(1), &[H, D][..]), (0, Some(3), &[D, D])];
    check(
        weighted,
        140,
        &degraded,
        &[35.0, 45.5 / 3.7, 195.0 / 7.4, 195.0 / 7.4],
    )
    .await;
}
