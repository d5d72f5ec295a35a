//! What a node looks like on the wire.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::google::protobuf as pb;
use serde_json::{Value, json};

use crate::node::{Extension, Locality, Node, Version};

fn map(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The inverse, so that a test can compare.
fn json(value: &pb::Value) -> Value {
    use pb::value::Kind;
    match value.kind.as_ref().unwrap() {
        Kind::NullValue(_) => Value::Null,
        Kind::BoolValue(value) => json!(value),
        Kind::NumberValue(value) => json!(value),
        Kind::StringValue(value) => json!(value),
        Kind::ListValue(list) => list.values.iter().map(json).collect(),
        Kind::StructValue(map) => fields(map),
    }
}

fn fields(map: &pb::Struct) -> Value {
    let fields = map.fields.iter();
    fields
        .map(|(name, one)| (name.clone(), json(one)))
        .collect()
}

#[test]
fn a_node_says_all_that_it_knows() {
    let metadata = json!({
        "INSTANCE_IPS": "10.0.0.1,10.0.0.2",
        "LABELS": {"app": "web", "nested": [1.5, true, null, "x", {}]},
    });
    let node = core::Node::from(Node {
        id: "sidecar~10.0.0.1~web.default~default.svc.cluster.local".to_owned(),
        cluster: "web.default".to_owned(),
        locality: Locality {
            region: "r".to_owned(),
            zone: "z".to_owned(),
            sub_zone: "s".to_owned(),
        },
        metadata: map(metadata.clone()),
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
    });
    assert_eq!(fields(node.metadata.as_ref().unwrap()), metadata);
    assert_eq!(node.locality.unwrap().sub_zone, "s");
    let Some(core::node::UserAgentVersionType::UserAgentBuildVersion(build)) =
        node.user_agent_version_type
    else {
        panic!("expected a build version");
    };
    let number = build.version.unwrap();
    assert_eq!(
        (number.major_number, number.minor_number, number.patch),
        (1, 40, 2)
    );
    assert_eq!(fields(&build.metadata.unwrap()), json!({"ssl": "rustls"}));
    assert_eq!(node.extensions[0].category, "envoy.filters.http");
    assert_eq!(node.client_features, ["f"]);
}

#[test]
fn what_a_node_leaves_empty_is_not_said() {
    let node = core::Node::from(Node {
        id: "a".to_owned(),
        ..Node::default()
    });
    let expected = core::Node {
        id: "a".to_owned(),
        ..core::Node::default()
    };
    assert_eq!(node, expected);
}
