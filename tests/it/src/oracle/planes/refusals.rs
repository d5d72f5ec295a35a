//! What is wrong among what is right, listeners that come and go, and a control plane that leaves.

use tandem_harness::client::h1::Connection;

use super::changes::{VARIANTS, base, logging};
use super::side::ask;
use super::world::World;
use crate::mesh::resources::{cluster, endpoints, routes};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";

/// One of several is wrong: what is refused, and what is served.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        let on_one = [ask(200, "one")];
        world.look("refusals: at first", &start, &on_one).await;

        let good = cluster("good") + &endpoints("good", &[two]);
        let bad = cluster("bad").replace("type: EDS", "type: EDS\n  lb_policy: CLUSTER_PROVIDED");
        let text = start.clone() + &bad + &good;
        world
            .step("a bad cluster and a good one", &text, &on_one)
            .await;
        let text = text.replace("cluster: one", "cluster: good");
        world
            .step("routes take the good one", &text, &[ask(200, "two")])
            .await;
        world
            .step("clusters are right again", &start, &on_one)
            .await;
        let bad = cluster("bad").replace("connect_timeout: 2s", "connect_timeout: 0s");
        let text = start.clone() + &bad + &good;
        world
            .step(
                "a cluster with a value that no field may have",
                &text,
                &on_one,
            )
            .await;
        world
            .step("clusters are right once more", &start, &on_one)
            .await;
        let bad = logging("third", "r").replace("stat_prefix: third", "stat_prefix: ''");
        let text = start.clone() + &bad + &logging("other", "r");
        let both = [ask(200, "one"), ask(200, "one").on("other")];
        world
            .step("a bad listener and a good one", &text, &both)
            .await;
        let text = start.clone() + &logging("other", "r");
        world.step("listeners are right again", &text, &both).await;

        let text = start.replace("domains: [\"*\"]", "domains: []");
        world.step("bad routes", &text, &on_one).await;
        let text = base(one, two, "two");
        world
            .step("routes are right again", &text, &[ask(200, "two")])
            .await;

        let text = start.replace("cluster: one }", "cluster: nobody }");
        world
            .step("routes to no cluster", &text, &[ask(503, "")])
            .await;
        world.compared();
    }
}

/// A listener goes, comes back to its port, and changes while a connection is open.
#[tokio::test(flavor = "multi_thread")]
async fn listeners_come_and_go_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        let with = start.clone() + &logging("other", "r");
        let there = [ask(200, "one"), ask(200, "one").on("other")];
        let gone = [ask(200, "one"), ask(0, "").on("other")];
        world.step("a listener is added", &with, &there).await;
        world.step("a listener goes", &start, &gone).await;
        world.step("it comes back to its port", &with, &there).await;
        let changed = with.replace("stat_prefix: other", "stat_prefix: changed");
        let mut kept = Vec::new();
        for side in &world.sides {
            let mut connection = Connection::open(side.port("main")).await.unwrap();
            connection.send(GET).await.unwrap();
            assert_eq!(connection.response("GET").await.unwrap().body, b"one");
            kept.push(connection);
        }
        world
            .step("its filter chain changes", &changed, &there)
            .await;
        for mut connection in kept {
            connection.send(GET).await.unwrap();
            let response = connection.response("GET").await.unwrap();
            assert_eq!(response.get("connection"), None);
        }
        let unknown = changed.replace("route_config_name: r,", "route_config_name: late,");
        let text = unknown + &routes("late", "two");
        let moved = [ask(200, "two"), ask(200, "two").on("other")];
        world
            .step("listeners take other routes", &text, &moved)
            .await;
        world.compared();
    }
}

/// Nobody else may listen at its port, so what comes in its place takes its sockets.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_alone_at_its_port_hands_it_over_as_with_envoy() {
    const ALONE: &str = "\n  enable_reuse_port: false";
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        let alone = |server: &str, more: &str| {
            let (chains, prefix) = ("\n  filter_chains", "stat_prefix: other");
            logging("other", "r")
                .replace(chains, &format!("{ALONE}{more}{chains}"))
                .replace(prefix, &format!("server_name: {server}\n        {prefix}"))
        };
        let there = [ask(200, "one"), ask(200, "one").on("other")];
        let gone = [ask(200, "one"), ask(0, "").on("other")];
        let text = start.clone() + &alone("first", "");
        world.step("a listener alone", &text, &there).await;
        let text = start.clone() + &alone("second", "\n  tcp_backlog_size: 64");
        world
            .step("alone, its backlog changes", &text, &there)
            .await;
        let renamed = alone("third", "").replace("name: other", "name: renamed");
        let text = start.clone() + &renamed;
        world.step("alone under another name", &text, &there).await;
        let text = start.clone() + &renamed.replace(ALONE, "");
        world
            .step("alone no more, which may not be", &text, &there)
            .await;
        world.step("alone, it goes", &start, &gone).await;
        let text = start.clone() + &alone("fourth", "");
        world.step("alone, it comes back", &text, &there).await;
        world.compared();
    }
}

/// The routes of a new listener never come: it answers when it has waited long enough.
#[tokio::test(flavor = "multi_thread")]
async fn routes_that_never_come_are_waited_for_as_by_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        let waits = |time: &str| {
            logging("other", "late").replace(
                "route_config_name: late, config_source: { ads: {}, ",
                &format!("route_config_name: late, config_source: {{ ads: {{}}, initial_fetch_timeout: {time}, "),
            )
        };
        let text = start.clone() + &waits("0.3s");
        let open = [ask(200, "one"), ask(404, "").on("other")];
        world
            .step(
                "a listener waits for routes no longer than it may",
                &text,
                &open,
            )
            .await;
        let text = text + &routes("late", "two");
        let open = [ask(200, "one"), ask(200, "two").on("other")];
        world.step("its routes come at last", &text, &open).await;
        world.compared();
    }
}

/// The control plane stops and comes back, as it was and with news.
#[tokio::test(flavor = "multi_thread")]
async fn control_planes_return_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        let on_one = [ask(200, "one")];
        world.look("returns: at first", &start, &on_one).await;
        world.stop().await;
        world
            .look("the control plane is gone", &start, &on_one)
            .await;
        world.resume().await;
        world.look("it is back", &start, &on_one).await;
        world.stop().await;
        let moved = base(one, two, "two");
        world
            .step("it has news, but nobody hears", &moved, &on_one)
            .await;
        world.resume().await;
        world
            .look("it is back with news", &moved, &[ask(200, "two")])
            .await;
        world.compared();
    }
}
