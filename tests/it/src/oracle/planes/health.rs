//! Endpoints: health, priorities, localities; and clusters that warm.

use super::changes::{VARIANTS, base};
use super::side::ask;
use super::world::World;
use crate::mesh::resources::{cluster, endpoints};

/// Priority, weight, health and port.
type Locality = (u32, u32, &'static str, u16);

/// The endpoints of cluster `one`, by localities.
fn localities(all: &[Locality]) -> String {
    let locality = |(number, (priority, weight, health, port)): (usize, &Locality)| {
        format!(
            "\n  - locality: {{ zone: z{number} }}\n    priority: {priority}\n    \
             load_balancing_weight: {weight}\n    lb_endpoints: [{{ health_status: {health}, endpoint: \
             {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }} }}]"
        )
    };
    let all: Vec<String> = all.iter().enumerate().map(locality).collect();
    format!(
        "\n- \"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n  \
         cluster_name: one\n  endpoints:{}",
        all.concat()
    )
}

/// Health, priorities and localities say who is called.
#[tokio::test(flavor = "multi_thread")]
async fn endpoints_change_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        world
            .look("endpoints: at first", &start, &[ask(200, "one")])
            .await;
        let with = |all: &[Locality]| start.replace(&endpoints("one", &[one]), &localities(all));
        let steps: [(&str, &[Locality], &'static str); 8] = [
            (
                "two priorities",
                &[(0, 1, "HEALTHY", one), (1, 1, "HEALTHY", two)],
                "one",
            ),
            (
                "the first is not healthy",
                &[(0, 1, "UNHEALTHY", one), (1, 1, "HEALTHY", two)],
                "two",
            ),
            (
                "the first drains",
                &[(0, 1, "DRAINING", one), (1, 1, "HEALTHY", two)],
                "two",
            ),
            (
                "the first timed out",
                &[(0, 1, "TIMEOUT", one), (1, 1, "HEALTHY", two)],
                "two",
            ),
            (
                "the first is degraded",
                &[(0, 1, "DEGRADED", one), (1, 1, "HEALTHY", two)],
                "two",
            ),
            (
                "the first is unknown",
                &[(0, 1, "UNKNOWN", one), (1, 1, "HEALTHY", two)],
                "one",
            ),
            (
                "one priority, one healthy",
                &[(0, 1, "UNHEALTHY", one), (0, 1, "HEALTHY", two)],
                "two",
            ),
            (
                "one endpoint, not healthy",
                &[(0, 1, "UNHEALTHY", one)],
                "one",
            ),
        ];
        for (name, all, answer) in steps {
            world.step(name, &with(all), &[ask(200, answer)]).await;
        }
        let gap = with(&[(0, 1, "HEALTHY", one), (2, 1, "HEALTHY", two)]);
        world
            .look(
                "before a priority is left out",
                &with(&[(0, 1, "UNHEALTHY", one)]),
                &[],
            )
            .await;
        world
            .step("a priority is left out", &gap, &[ask(200, "one")])
            .await;
        world
            .step("endpoints: as at first", &start, &[ask(200, "one")])
            .await;
        world.compared();
    }
}

/// A cluster changes: what it was serves until its endpoints have come.
#[tokio::test(flavor = "multi_thread")]
async fn clusters_warm_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        let on_one = [ask(200, "one")];
        world.look("warming: at first", &start, &on_one).await;
        let changed = start.replace("connect_timeout: 2s", "connect_timeout: 3s");
        let changed = changed.replace(
            "eds_cluster_config: { eds_config: { ads: {}, ",
            "eds_cluster_config: { eds_config: { ads: {}, initial_fetch_timeout: 0.5s, ",
        );
        world
            .step("clusters change, their endpoints do not", &changed, &on_one)
            .await;
        let elsewhere = |name: &str| {
            cluster(name).replace(
                "eds_cluster_config: {",
                "eds_cluster_config: { service_name: elsewhere,",
            )
        };
        let text = changed.replace(
            &cluster("one")
                .replace("connect_timeout: 2s", "connect_timeout: 3s")
                .replace("ads: {}, ", "ads: {}, initial_fetch_timeout: 0.5s, "),
            &elsewhere("one"),
        );
        world
            .step("a cluster waits for other endpoints", &text, &on_one)
            .await;
        let text = text.clone() + &endpoints("elsewhere", &[two]);
        world.step("they come", &text, &[ask(200, "two")]).await;
        let fresh = text.clone() + &cluster("fresh");
        let fresh = fresh.replace("cluster: one }", "cluster: fresh }");
        world
            .step("routes take a cluster that warms", &fresh, &[])
            .await;
        let fresh = fresh + &endpoints("fresh", &[one]);
        world.step("it is warm", &fresh, &on_one).await;
        world.compared();
    }
}
