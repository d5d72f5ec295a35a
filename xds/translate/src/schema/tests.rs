use super::{Kind, Message, Presence};

#[test]
fn a_message_is_found_by_its_full_name() {
    let cluster = Message::named("envoy.config.cluster.v3.Cluster").unwrap();
    assert_eq!(cluster.name(), "envoy.config.cluster.v3.Cluster");
    assert!(Message::named("envoy.config.cluster.v3.Clusters").is_none());
}

#[test]
fn a_field_is_found_by_both_of_its_names_and_by_number() {
    let cluster = Message::named("envoy.config.cluster.v3.Cluster").unwrap();
    let field = cluster.field_named("connect_timeout").unwrap();
    assert_eq!(cluster.field_named("connectTimeout"), Some(field));
    assert_eq!(cluster.field(4), Some(field));
    assert_eq!(field.presence(), Presence::Explicit);
    assert_eq!(
        field.kind(),
        Kind::Message(Message::named("google.protobuf.Duration").unwrap())
    );
}

#[test]
fn oneofs_enums_and_rules_are_kept() {
    let cluster = Message::named("envoy.config.cluster.v3.Cluster").unwrap();
    let (kind, custom) = (
        cluster.field_named("type").unwrap(),
        cluster.field_named("cluster_type").unwrap(),
    );
    assert!(kind.oneof().is_some());
    assert_eq!(kind.oneof(), custom.oneof());
    let Kind::Enum(discovery) = kind.kind() else {
        panic!("type is an enum")
    };
    assert!(discovery.values().any(|value| value == ("STRICT_DNS", 1)));
    assert!(cluster.field_named("name").unwrap().rules().is_some());
    assert!(cluster.field_named("name").unwrap().rules_need_value());
}
