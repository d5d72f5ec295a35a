//! A control plane that restarts, stalls, sends garbage and flaps: requests do not notice, and when
//! it says something sensible again, that is served.

use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::cluster::v3 as cds;
use envoy_types::pb::envoy::config::route::v3 as rds;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};
use tandem_harness::relay::{Mode, Relay};

use super::plane::Stray;
use super::*;

/// A process whose control plane is behind a relay.
async fn behind_a_relay(variant: &str) -> (Mesh, Relay) {
    let plane = Plane::start().await;
    let relay = Relay::start(([127, 0, 0, 1], plane.port).into()).await;
    let port = relay.port;
    (Mesh::reaching(variant, plane, port).await, relay)
}

fn memory(mesh: &Mesh) -> u64 {
    let path = format!("/proc/{}/status", mesh.proxy.process.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib / 1024
}

/// Waits until the relay has accepted so many.
async fn connections(relay: &Relay, until: usize) {
    let patience = wait::PATIENCE * 3;
    assert!(wait::until(patience, || relay.accepted() >= until).await);
}

pub(super) fn any<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{}", M::full_name()),
        value: message.encode_to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_may_restart_under_load() {
    for variant in VARIANTS {
        let mut mesh = Mesh::start(variant).await;
        let load = Load::start(mesh.port);
        for target in ["two", "one", "two", "one", "two"] {
            mesh.plane.stop().await;
            mesh.say(target, "");
            load.goes_on(10).await;
            mesh.plane.resume().await;
            mesh.until(target).await;
        }
        load.has_no_failures().await;
    }
}

/// It accepts connections and never answers. What came before is served; when it speaks again, so
/// is what it says then.
#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_may_stall() {
    for variant in VARIANTS {
        let (mesh, relay) = behind_a_relay(variant).await;
        let load = Load::start(mesh.port);
        let before = relay.accepted();
        relay.set(Mode::Silent);
        connections(&relay, before + 1).await;
        mesh.say("two", "");
        load.goes_on(50).await;
        assert_eq!(h1::get(mesh.port, "/").await.unwrap().1, "one");
        relay.set(Mode::Pass);
        mesh.until("two").await;
        load.has_no_failures().await;
    }
}

/// A process that waits for a first configuration waits no longer than it was told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_control_plane_does_not_hold_up_the_start() {
    for variant in VARIANTS {
        let plane = Plane::start().await;
        let relay = Relay::start(([127, 0, 0, 1], plane.port).into()).await;
        relay.set(Mode::Silent);
        let [port, admin] = [ports::free(), ports::free()];
        let one = Backend::start("one").await;
        plane.say(&said(port, &one, &one, "one"));
        let config = bootstrap(variant, relay.port, admin)
            .replace("initial_fetch_timeout: 0s", "initial_fetch_timeout: 0.3s");
        let proxy = Proxy::start(Kind::Tandem, &config, admin).await.unwrap();
        assert!(h1::get(port, "/").await.is_err());
        relay.set(Mode::Pass);
        let served = wait::until_async(wait::PATIENCE, || async {
            h1::get(port, "/")
                .await
                .is_ok_and(|(_, body)| body == "one")
        });
        assert!(served.await, "{}", proxy.process.output());
    }
}

/// Bytes that are no HTTP/2, messages that are none, types that nobody asked for, resources of
/// another type than their response, nonces that were there before, and more than fits anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_refused() {
    let route_url = format!(
        "type.googleapis.com/{}",
        rds::RouteConfiguration::full_name()
    );
    for variant in VARIANTS {
        let (mesh, relay) = behind_a_relay(variant).await;
        let load = Load::start(mesh.port);
        let before = relay.accepted();
        relay.set(Mode::Noise);
        connections(&relay, before + 3).await;
        relay.set(Mode::Pass);
        mesh.say("two", "");
        mesh.until("two").await;

        let stray = |url: &str, nonce: &str, resource: Any| Stray {
            url: url.to_owned(),
            nonce: nonce.to_owned(),
            resources: vec![resource],
        };
        let broken = Any {
            type_url: route_url.clone(),
            // A name, and a field that ends behind the message.
            value: b"\x0a\x01r\x12\x7fx".to_vec(),
        };
        let of_another_type = any(&cds::Cluster {
            name: "r".into(),
            ..Default::default()
        });
        let giant = any(&rds::RouteConfiguration {
            name: "r".into(),
            virtual_hosts: vec![rds::VirtualHost {
                name: "x".repeat(65 << 20),
                ..Default::default()
            }],
            ..Default::default()
        });
        for (nonce, resource, refusal) in [
            ("stray-broken", broken, "r"),
            ("stray-type", of_another_type, "Cluster"),
            ("stray-giant", giant, "r: virtual_hosts[0].domains"),
        ] {
            mesh.plane.stray(stray(&route_url, nonce, resource));
            mesh.plane.refused_of(nonce, refusal).await;
            mesh.until("two").await;
        }
        let unasked = "type.googleapis.com/nobody.asked.for.This";
        let nothing = Any {
            type_url: unasked.into(),
            value: Vec::new(),
        };
        mesh.plane.stray(stray(unasked, "1", nothing));
        mesh.say("one", "");
        mesh.until("one").await;
        load.has_no_failures().await;
    }
}

/// Connections that end after 100 ms are tried again, with pauses that are drawn.
#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_may_flap() {
    for variant in VARIANTS {
        let (mesh, relay) = behind_a_relay(variant).await;
        let load = Load::start(mesh.port);
        load.goes_on(100).await;
        let (memory_before, begun) = (memory(&mesh), Instant::now());
        let before = relay.accepted();
        relay.set(Mode::Short(Duration::from_millis(100)));
        connections(&relay, before + 10).await;
        // Ten connections, and ten pauses from a range that begins with 0 to 500 ms.
        let took = begun.elapsed();
        assert!(
            took > Duration::from_millis(1500),
            "ten attempts in {took:?}"
        );
        load.goes_on(50).await;
        let grown = memory(&mesh).saturating_sub(memory_before);
        assert!(grown < 20, "memory grew by {grown} MiB");
        relay.set(Mode::Pass);
        mesh.say("two", "");
        mesh.until("two").await;
        load.has_no_failures().await;
    }
}
