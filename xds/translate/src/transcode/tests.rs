use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::Node;
use prost::Message as _;

use super::transcode;
use crate::schema::Message;
use crate::source::Source;

fn errors(ty: &str, text: &str) -> Vec<String> {
    let source = Source::yaml("t", text);
    let (_, errors) = transcode(
        &source,
        &source.parse().unwrap(),
        Message::named(ty).unwrap(),
    );
    errors.iter().map(ToString::to_string).collect()
}

fn cluster(text: &str) -> Cluster {
    let source = Source::yaml("t", text);
    let ty = Message::named("envoy.config.cluster.v3.Cluster").unwrap();
    let (bytes, errors) = transcode(&source, &source.parse().unwrap(), ty);
    assert!(errors.is_empty(), "{errors:?}");
    Cluster::decode(bytes.as_slice()).unwrap()
}

#[test]
#[allow(deprecated, reason = "a few old fields are good examples")]
fn fields_are_read_by_both_names_and_enums_in_any_case() {
    let cluster = cluster(
        "name: a\nconnectTimeout: 1.5s\ntype: strict_dns\nlb_policy: 1\n\
         per_connection_buffer_limit_bytes: 1e3\nrespect_dns_ttl: \"true\"\nmetadata: ~\n\
         dns_refresh_rate: {seconds: 3}\ncleanup_interval: 0.000000001s\n\
         load_assignment: {cluster_name: a, endpoints: {priority: 2}}\n",
    );
    assert_eq!(cluster.name, "a");
    let timeout = cluster.connect_timeout.unwrap();
    assert_eq!((timeout.seconds, timeout.nanos), (1, 500_000_000));
    assert_eq!(cluster.lb_policy, 1);
    assert_eq!(
        cluster.per_connection_buffer_limit_bytes.unwrap().value,
        1000
    );
    assert!(cluster.respect_dns_ttl);
    assert!(cluster.metadata.is_none());
    assert_eq!(cluster.dns_refresh_rate.unwrap().seconds, 3);
    assert_eq!(cluster.cleanup_interval.unwrap().nanos, 1);
    assert_eq!(cluster.load_assignment.unwrap().endpoints[0].priority, 2);
}

#[test]
fn structs_keep_what_yaml_said() {
    let source = Source::yaml("t", "metadata: {a: 1, b: [x, no, ~], c: {d: 1.5}}");
    let ty = Message::named("envoy.config.core.v3.Node").unwrap();
    let (bytes, errors) = transcode(&source, &source.parse().unwrap(), ty);
    assert!(errors.is_empty());
    let metadata = Node::decode(bytes.as_slice()).unwrap().metadata.unwrap();
    let text = format!("{metadata:?}");
    for part in [
        "NumberValue(1.0)",
        "StringValue(\"x\")",
        "BoolValue(false)",
        "NullValue(",
        "StringValue(\"1.5\")",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn an_any_is_written_with_its_type() {
    let cluster = cluster(
        "transport_socket: {name: x, typed_config: {'@type': \
         type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}",
    );
    let Some(envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType::TypedConfig(
        any,
    )) = cluster.transport_socket.unwrap().config_type
    else {
        panic!("a typed config")
    };
    assert!(any.type_url.ends_with("raw_buffer.v3.RawBuffer"));
}

#[test]
fn all_errors_are_reported_with_path_place_and_expectation() {
    let found = errors(
        "envoy.config.cluster.v3.Cluster",
        "name: 5\nnane: x\nconnect_timeout: 5\ntype: STATIC\ncluster_type: {name: x}\n\
         lb_policy: SILLY\ndns_refresh_rate: 1.5\nconnectTimeout: 1s\n\
         load_assignment:\n  endpoints:\n  - priority: -1\n  - {lb_endpoints: [3]}\n\
         transport_socket: {typed_config: {x: 1}}\n",
    );
    let expected = [
        "name: expected a string (quote it), got the number 5 (t:1:7)",
        "nane: envoy.config.cluster.v3.Cluster has no such field (t:2:1)",
        "connect_timeout: expected a duration like \"1.5s\", got the number 5 (t:3:18)",
        "cluster_type: 'type' is set already, only one can be (t:5:1)",
        "dns_refresh_rate: expected a duration like \"1.5s\", got the string \"1.5\" (t:7:19)",
        "connect_timeout: set twice, by both of its names (t:8:1)",
        "load_assignment.endpoints[0].priority: expected an integer from 0 to 4294967295, got the \
         number -1 (t:11:15)",
        "load_assignment.endpoints[1].lb_endpoints[0]: expected a mapping \
         (envoy.config.endpoint.v3.LbEndpoint), got the number 3 (t:12:21)",
        "transport_socket.typed_config: expected '@type', the type of this message (t:13:34)",
    ];
    for line in expected {
        assert!(found.iter().any(|f| f == line), "{line}\nin {found:#?}");
    }
    assert!(
        found
            .iter()
            .any(|f| f.starts_with("lb_policy: expected one of ROUND_ROBIN, "))
    );
    assert_eq!(found.len(), expected.len() + 1, "{found:#?}");
}

#[test]
fn durations_and_timestamps_follow_the_json_mapping() {
    for bad in [
        "1",
        "1.5 s",
        "s",
        ".5s",
        "1.s",
        "1.0000000001s",
        "1e3s",
        "--1s",
        "315576000001s",
    ] {
        let text = format!("connect_timeout: \"{bad}\"");
        assert_eq!(
            errors("envoy.config.cluster.v3.Cluster", &text).len(),
            1,
            "{bad}"
        );
    }
    assert_eq!(
        super::wellknown::timestamp("1970-01-02T00:00:01.5Z"),
        Some((86401, 500_000_000))
    );
    assert_eq!(
        super::wellknown::timestamp("2000-03-01T01:00:00+01:00"),
        Some((951_868_800, 0))
    );
    assert_eq!(super::wellknown::timestamp("2000-13-01T01:00:00Z"), None);
}
