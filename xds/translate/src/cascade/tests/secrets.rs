//! Clusters and their secrets.

use super::*;

fn secret(name: &str) -> Resource {
    use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
    let secret = tls::Secret {
        name: name.to_owned(),
        r#type: Some(tls::secret::Type::ValidationContext(
            tls::CertificateValidationContext::default(),
        )),
    };
    resource(name, secret.encode_to_vec())
}

/// A cluster that judges its endpoints by a secret.
fn tls_cluster(name: &str, secret: &str) -> Resource {
    tls_cluster_from(name, secret, ads())
}

fn tls_cluster_from(name: &str, secret: &str, source: core::ConfigSource) -> Resource {
    use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
    use pb::cluster::v3::Cluster;
    let context = tls::UpstreamTlsContext {
        common_tls_context: Some(tls::CommonTlsContext {
            validation_context_type: Some(
                tls::common_tls_context::ValidationContextType::ValidationContextSdsSecretConfig(
                    tls::SdsSecretConfig {
                        name: secret.to_owned(),
                        sds_config: Some(source),
                    },
                ),
            ),
            ..Default::default()
        }),
        ..Default::default()
    };
    let type_name = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    let cluster = Cluster {
        name: name.to_owned(),
        transport_socket: Some(core::TransportSocket {
            name: "tls".to_owned(),
            config_type: any(type_name, context.encode_to_vec())
                .map(core::transport_socket::ConfigType::TypedConfig),
        }),
        ..Default::default()
    };
    resource(name, cluster.encode_to_vec())
}

#[test]
fn clusters_wait_for_their_secrets() {
    let mut rig = rig();
    rig.send(
        Kind::Cluster,
        vec![tls_cluster("c", "roots"), tls_cluster("d", "roots")],
    )
    .unwrap();
    assert_eq!(rig.steps(), ["+Secret roots"]);
    rig.send(Kind::Secret, vec![secret("roots")]).unwrap();
    assert_eq!(rig.steps(), ["cluster c of 0", "cluster d of 0"]);

    // Another secret: what is served stays until it has come and can be used.
    rig.send(
        Kind::Cluster,
        vec![tls_cluster("c", "bad"), tls_cluster("d", "roots")],
    )
    .unwrap();
    assert_eq!(rig.steps(), ["+Secret bad"]);
    let refusal = rig.send(Kind::Secret, vec![secret("bad")]).unwrap_err();
    assert_eq!(refusal, "bad: cannot be used");
    assert!(rig.steps().is_empty());
    rig.send(Kind::Cluster, Vec::new()).unwrap();
    assert_eq!(rig.steps(), ["-Secret bad"]);
    rig.pass(LINGER);
    assert_eq!(
        rig.steps(),
        ["no cluster c", "-Secret roots", "no cluster d"]
    );
}

/// Without its secret a cluster is served in the end: its connections fail by themselves.
#[test]
fn secrets_are_not_waited_for_for_ever() {
    let mut rig = rig();
    rig.send(Kind::Cluster, vec![tls_cluster("c", "roots")])
        .unwrap();
    assert_eq!(rig.steps(), ["+Secret roots"]);
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.steps(), ["cluster c of 0"]);
}

/// Delta says by a removal that there is none.
#[test]
fn a_secret_that_is_removed_is_not_waited_for() {
    let mut rig = rig();
    rig.send(Kind::Cluster, vec![tls_cluster("c", "roots")])
        .unwrap();
    let gone = Update {
        removed: vec!["roots".to_owned()],
        ..Update::default()
    };
    let heard = (rig.cascade).update(Kind::Secret, &Origin::Ads, &gone, rig.now);
    heard.unwrap();
    assert_eq!(rig.steps(), ["+Secret roots", "cluster c of 0"]);
}

/// Who has another limit for the wait gets what came already: a stream would not send it again.
#[test]
fn a_secret_that_came_is_there_for_another_who_names_its_source_in_another_way() {
    let mut rig = rig();
    let first = || tls_cluster("c", "roots");
    rig.send(Kind::Cluster, vec![first()]).unwrap();
    rig.send(Kind::Secret, vec![secret("roots")]).unwrap();
    rig.steps();
    let source = core::ConfigSource {
        initial_fetch_timeout: None,
        ..ads()
    };
    let second = tls_cluster_from("d", "roots", source);
    rig.send(Kind::Cluster, vec![first(), second]).unwrap();
    assert_eq!(rig.steps(), ["cluster d of 0"]);
    assert_eq!(rig.published.load(Relaxed), 2);
}
