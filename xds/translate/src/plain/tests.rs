use base64::Engine as _;
use envoy_types::pb::envoy::config::cluster::v3::{Cluster, cluster};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
use envoy_types::pb::google::protobuf::{Any, Struct, UInt32Value, Value};
use prost::{Message as _, Name as _};

use super::is_right;
use crate::schema::Message;
use crate::{support, validate};

const ASSIGNMENT: &str = "envoy.config.endpoint.v3.ClusterLoadAssignment";
const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";

fn judged(ty: &str, bytes: &[u8]) -> bool {
    let ty = Message::named(ty).unwrap();
    let right = is_right(ty, bytes);
    if right {
        let errors = [support::check(ty, bytes), validate::check(ty, bytes)].concat();
        assert!(errors.is_empty(), "{bytes:?}: {errors:#?}");
    }
    right
}

fn one(address: &str, port: u32) -> endpoint::LbEndpoint {
    let socket = core::SocketAddress {
        address: address.to_owned(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
        ..Default::default()
    };
    let address = core::Address {
        address: Some(core::address::Address::SocketAddress(socket)),
    };
    let identifier = endpoint::lb_endpoint::HostIdentifier::Endpoint(endpoint::Endpoint {
        address: Some(address),
        ..Default::default()
    });
    endpoint::LbEndpoint {
        host_identifier: Some(identifier),
        ..Default::default()
    }
}

fn assignment(all: Vec<endpoint::LbEndpoint>) -> endpoint::ClusterLoadAssignment {
    endpoint::ClusterLoadAssignment {
        cluster_name: "a".to_owned(),
        endpoints: vec![endpoint::LocalityLbEndpoints {
            lb_endpoints: all,
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn endpoints_are_plain_with_all_that_is_usually_said_of_them() {
    let mut rich = one("10.0.0.1", 8080);
    rich.load_balancing_weight = Some(UInt32Value { value: 3 });
    rich.set_health_status(core::HealthStatus::Draining);
    let of_istio = Struct {
        fields: [("workload".to_owned(), Value::default())].into(),
    };
    let metadata = [("istio".to_owned(), of_istio)];
    rich.metadata = Some(core::Metadata {
        filter_metadata: metadata.into(),
        ..Default::default()
    });
    let mut whole = assignment(vec![rich, one("10.0.0.2", 8080)]);
    whole.endpoints[0].priority = 1;
    whole.endpoints[0].locality = Some(core::Locality {
        region: "r".to_owned(),
        ..Default::default()
    });
    assert!(judged(ASSIGNMENT, &whole.encode_to_vec()));
}

#[test]
fn what_breaks_a_rule_is_not_plain() {
    let mut nameless = assignment(vec![one("10.0.0.1", 80)]);
    nameless.cluster_name.clear();
    let mut light = one("10.0.0.1", 80);
    light.load_balancing_weight = Some(UInt32Value { value: 0 });
    let mut far = assignment(Vec::new());
    far.endpoints[0].priority = 129;
    for wrong in [
        nameless,
        far,
        assignment(vec![light]),
        assignment(vec![one("10.0.0.1", 65_536)]),
        assignment(vec![one("", 80)]),
    ] {
        assert!(!judged(ASSIGNMENT, &wrong.encode_to_vec()), "{wrong:?}");
    }
}

#[test]
fn what_is_not_supported_is_not_plain() {
    let mut drops = assignment(Vec::new());
    drops.policy = Some(endpoint::cluster_load_assignment::Policy {
        weighted_priority_health: true,
        ..Default::default()
    });
    assert!(!judged(ASSIGNMENT, &drops.encode_to_vec()));
    let mut ring = Cluster {
        name: "a".to_owned(),
        ..Default::default()
    };
    assert!(judged(CLUSTER, &ring.encode_to_vec()));
    ring.set_lb_policy(cluster::LbPolicy::Maglev);
    assert!(!judged(CLUSTER, &ring.encode_to_vec()));
}

#[test]
fn what_needs_a_closer_look_is_left_to_the_checks() {
    let whole = assignment(vec![one("10.0.0.1", 80)]).encode_to_vec();
    // The name twice, an unknown field, half a field.
    for more in [&b"\x0a\x01b"[..], b"\xf8\x07\x01", b"\x0a\x05b"] {
        assert!(!judged(ASSIGNMENT, &[&whole, more].concat()));
    }
    let secured = Cluster {
        name: "a".to_owned(),
        transport_socket: Some(core::TransportSocket {
            name: "raw".to_owned(),
            config_type: Some(core::transport_socket::ConfigType::TypedConfig(Any {
                type_url: Cluster::type_url(),
                value: Vec::new(),
            })),
        }),
        ..Default::default()
    };
    assert!(!judged(CLUSTER, &secured.encode_to_vec()));
}

/// What a real istiod pushed, and the same with each byte wrong: yes is never said where a check
/// finds anything.
#[test]
fn yes_is_said_only_where_the_checks_find_nothing() {
    let pushed = include_str!("../../tests/istiod/pushed.json");
    let pushed: Vec<serde_json::Value> = serde_json::from_str(pushed).unwrap();
    let engine = base64::engine::general_purpose::STANDARD;
    for resource in &pushed {
        let ty = resource["type"].as_str().unwrap();
        let bytes = engine.decode(resource["value"].as_str().unwrap()).unwrap();
        let right = judged(ty, &bytes);
        assert!(right || ty != ASSIGNMENT, "{resource}");
        for at in 0..bytes.len() {
            for flip in [1, 8, 0x80] {
                let mut broken = bytes.clone();
                broken[at] ^= flip;
                judged(ty, &broken);
            }
        }
    }
}
