//! What a node looks like on the wire.

use envoy_types::pb::envoy::config::core::v3 as core;
use serde_json::{Value, json};

use crate::node::{Extension, Locality, Node, Version};

fn map(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn full() -> Node {
    Node {
        id: "sidecar~10.0.0.1~web.default~default.svc.cluster.local".to_owned(),
        cluster: "web.default".to_owned(),
        locality: Locality {
            region: "r".to_owned(),
            zone: "z".to_owned(),
            sub_zone: "s".to_owned(),
        },
        metadata: map(json!({
            "INSTANCE_IPS": "10.0.0.1,10.0.0.2",
            "LABELS": {"app": "web", "nested": [1.5, 2, true, null, "x", {}]},
        })),
        user_agent: "envoy".to_owned(),
        version: Some(Version::Build {
            number: (1, 40, 2),
            metadata: map(json!({"ssl": "rustls"})),
        }),
        extensions: vec![Extension {
            name: "envoy.filters.http.router".to_owned(),
            category: "envoy.filters.http".to_owned(),
            type_urls: vec!["envoy.extensions.filters.http.router.v3.Router".to_owned()],
            disabled: false,
        }],
        features: vec!["f".to_owned()],
    }
}

#[test]
fn a_node_says_all_that_it_knows() {
    let wire = core::Node::from(full());
    assert_eq!(wire.locality.as_ref().unwrap().sub_zone, "s");
    assert_eq!(wire.metadata.as_ref().unwrap().fields.len(), 2);
    assert_eq!(Node::from(wire), full());
    let text = Node {
        version: Some(Version::Text("1.2".to_owned())),
        ..full()
    };
    assert_eq!(Node::from(core::Node::from(text.clone())), text);
}

#[test]
fn in_json_the_fields_have_the_protocols_names() {
    let json = full().to_json();
    assert_eq!(json["locality"]["sub_zone"], "s");
    assert_eq!(json["metadata"]["LABELS"]["nested"][1], 2);
    assert_eq!(json["user_agent_name"], "envoy");
    let version = &json["user_agent_build_version"]["version"];
    assert_eq!(version["minor_number"], 40);
    assert_eq!(json["extensions"][0]["category"], "envoy.filters.http");
    assert_eq!(json["client_features"], json!(["f"]));
}

#[test]
fn what_a_node_leaves_empty_is_not_said() {
    let wire = core::Node::from(Node {
        id: "a".to_owned(),
        ..Node::default()
    });
    let expected = core::Node {
        id: "a".to_owned(),
        ..core::Node::default()
    };
    assert_eq!(wire, expected);
    assert_eq!(Node::from(wire).to_json(), json!({"id": "a"}));
}
