//! A control plane that sends a hundred thousand resources: they are served, and neither requests
//! nor probes wait for them.

use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::cluster::v3 as cds;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as eds;
use envoy_types::pb::google::protobuf::Any;
use prost::Name;

use super::trouble::any;
use super::*;

/// So many clusters, and each one's endpoints.
const MANY: usize = 50_000;

/// How long they may take, unoptimized and on a machine that has more to do.
const LANDING: Duration = Duration::from_secs(180);

/// What a probe waits for its answer, on such a machine, too.
const PROBE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_resources_disturb_nobody() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let load = Load::start(mesh.port);
        let last = format!("many-{}", MANY - 1);
        let say = |target: &str| {
            let mut all = plane::read(&said(mesh.port, &mesh.one, &mesh.two, target));
            all.extend(many(mesh.two.port));
            mesh.plane.say_all(all);
        };
        say("one");
        let landed = wait::until_async(LANDING, || async {
            ready(&mesh).await;
            let of = |url: String| mesh.plane.holds(&format!("type.googleapis.com/{url}"));
            of(cds::Cluster::full_name()) == MANY + 2
                && of(eds::ClusterLoadAssignment::full_name()) == MANY + 2
        });
        assert!(landed.await, "{}", mesh.proxy.process.output());
        say(&last);
        mesh.until_within(LANDING, "two").await;
        load.goes_on(10).await;
        // They go again, which is as much.
        mesh.say("one", "");
        mesh.until_within(LANDING, "one").await;
        mesh.plane.accepted_within(LANDING).await;
        ready(&mesh).await;
        load.has_no_failures().await;
    }
}

/// Admin says at once that the process lives.
async fn ready(mesh: &Mesh) {
    let asked = Instant::now();
    let answer = tokio::time::timeout(PROBE, h1::get(mesh.proxy.admin, "/ready")).await;
    let answer = answer.unwrap_or_else(|_| panic!("no answer after {:?}", asked.elapsed()));
    assert_eq!(answer.unwrap().0, 200);
}

fn many(port: u16) -> Vec<Any> {
    let names = (0..MANY).map(|number| format!("many-{number}"));
    let both = names.flat_map(|name| [any(&cluster_of(&name)), any(&endpoints_of(&name, port))]);
    both.collect()
}

fn cluster_of(name: &str) -> cds::Cluster {
    let source = core::ConfigSource {
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(
            core::AggregatedConfigSource::default(),
        )),
        ..Default::default()
    };
    cds::Cluster {
        name: name.into(),
        cluster_discovery_type: Some(cds::cluster::ClusterDiscoveryType::Type(
            cds::cluster::DiscoveryType::Eds.into(),
        )),
        eds_cluster_config: Some(cds::cluster::EdsClusterConfig {
            eds_config: Some(source),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn endpoints_of(name: &str, port: u16) -> eds::ClusterLoadAssignment {
    let address = core::SocketAddress {
        address: "127.0.0.1".into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port.into())),
        ..Default::default()
    };
    let endpoint = eds::Endpoint {
        address: Some(core::Address {
            address: Some(core::address::Address::SocketAddress(address)),
        }),
        ..Default::default()
    };
    let endpoint = eds::LbEndpoint {
        host_identifier: Some(eds::lb_endpoint::HostIdentifier::Endpoint(endpoint)),
        ..Default::default()
    };
    eds::ClusterLoadAssignment {
        cluster_name: name.into(),
        endpoints: vec![eds::LocalityLbEndpoints {
            lb_endpoints: vec![endpoint],
            ..Default::default()
        }],
        ..Default::default()
    }
}
