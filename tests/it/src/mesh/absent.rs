//! What was asked for and is not there: nobody waits for it where that is known, and where it is
//! not, it is counted and said that somebody waited in vain.

use serde_json::Value;

use super::fetched::{self, RestPlane};
use super::*;

/// A source that is waited for without an end.
fn file(folder: &std::path::Path, name: &str) -> String {
    let path = folder.join(name).display().to_string();
    format!(
        "{{ path_config_source: {{ path: {path} }}, resource_api_version: V3, initial_fetch_timeout: 0s }}"
    )
}

fn secured(name: &str, sds: &str) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: {name}
  load_assignment: {{ cluster_name: {name} }}
  transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      common_tls_context:
        validation_context_sds_secret_config: {{ name: roots, sds_config: {sds} }}"#
    )
}

const OTHERS: [&str; 2] = [
    " []",
    "\n- \"@type\": type.googleapis.com/TYPE\n  FIELD: other",
];

/// Files that lack the routes, the endpoints and the secret that they are asked for do not hold
/// the start, as in Envoy; what is moved into place later is served.
#[tokio::test]
async fn what_a_file_lacks_is_not_waited_for() {
    for (kind, others) in [Kind::Tandem, Kind::Envoy]
        .map(|kind| OTHERS.map(|others| (kind, others)))
        .concat()
    {
        let folder = tempfile::TempDir::new().unwrap();
        let [port, admin] = [ports::free(), ports::free()];
        let one = Backend::start("one").await;
        let place = |name: &str, resources: &str| {
            let (new, path) = (folder.path().join("new"), folder.path().join(name));
            std::fs::write(&new, format!("resources:{resources}")).unwrap();
            std::fs::rename(new, path).unwrap();
        };
        let without = |name: &str, ty: &str, field: &str| {
            place(name, &others.replace("TYPE", ty).replace("FIELD", field));
        };
        without(
            "eds.yaml",
            "envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name",
        );
        without(
            "rds.yaml",
            "envoy.config.route.v3.RouteConfiguration",
            "name",
        );
        without(
            "sds.yaml",
            "envoy.extensions.transport_sockets.tls.v3.Secret",
            "name",
        );
        let over = |name: &str, text: String| {
            text.replace(
                "{ ads: {}, resource_api_version: V3 }",
                &file(folder.path(), name),
            )
        };
        let secured = secured("secured", &file(folder.path(), "sds.yaml"));
        place("cds.yaml", &(over("eds.yaml", cluster("one")) + &secured));
        place(
            "lds.yaml",
            &over("rds.yaml", listener("main", port, "r", "main")),
        );
        let config = format!(
            "node: {{ id: me, cluster: us }}\n\
             admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }} }}\n\
             dynamic_resources:\n  cds_config: {}\n  lds_config: {}\n",
            file(folder.path(), "cds.yaml"),
            file(folder.path(), "lds.yaml"),
        );
        let proxy = Proxy::start(kind, &config, admin).await.unwrap();
        assert_eq!(h1::get(port, "/").await.unwrap().0, 404, "{kind:?}");
        let page = proxy.admin("/stats").await;
        // No file is a stream to a control plane.
        assert!(!page.contains("connected_state: 1"), "{kind:?}: {page}");
        if others == OTHERS[0] {
            for name in ["cluster.one", "http.main.rds.r"] {
                let line = format!("{name}.update_empty: 1\n");
                assert!(page.contains(&line), "{kind:?}: {line}: {page}");
            }
        }
        place("rds.yaml", &routes("r", "one"));
        place("eds.yaml", &endpoints("one", &[one.port]));
        let served = wait::until_async(wait::PATIENCE, || async {
            h1::get(port, "/")
                .await
                .is_ok_and(|(_, body)| body == "one")
        });
        assert!(served.await, "{kind:?}: {}", proxy.process.output());
    }
}

/// An answer to REST is all that there is, too: what it lacks does not hold the start, as in Envoy,
/// and is served when it comes.
#[tokio::test]
async fn what_an_answer_to_rest_lacks_is_not_waited_for() {
    for kind in [Kind::Envoy, Kind::Tandem] {
        let plane = RestPlane::start().await;
        let [port, admin] = [ports::free(), ports::free()];
        let one = Backend::start("one").await;
        // For ever, whatever is asked for.
        let patient = |value: Value| -> Value {
            let (api, wait) = (
                r#""resource_api_version""#,
                r#""initial_fetch_timeout":"0s","#,
            );
            serde_json::from_str(&value.to_string().replace(api, &format!("{wait}{api}"))).unwrap()
        };
        plane.say("clusters", &[patient(fetched::a_cluster("one"))]);
        plane.say("listeners", &[patient(fetched::a_listener("main", port))]);
        plane.say("endpoints", &[]);
        plane.say("routes", &[]);
        let config = patient(fetched::a_bootstrap(plane.port, admin)).to_string();
        let proxy = Proxy::start(kind, &config, admin).await.unwrap();
        assert_eq!(h1::get(port, "/").await.unwrap().0, 404, "{kind:?}");
        let page = proxy.admin("/stats").await;
        for name in ["cluster.one", "http.main.rds.r"] {
            for line in ["init_fetch_timeout: 0", "update_rejected: 0"] {
                let line = format!("{name}.{line}\n");
                assert!(page.contains(&line), "{kind:?}: {line}: {page}");
            }
            let empty = format!("{name}.update_empty: 0\n");
            assert!(!page.contains(&empty), "{kind:?}: {page}");
        }
        plane.say("routes", &[fetched::a_route("one")]);
        plane.say("endpoints", &[fetched::an_endpoint("one", one.port)]);
        fetched::answers(&proxy, port, "one").await;
    }
}

/// A stream may send later what it did not send yet: it is waited for, and then counted and named.
#[tokio::test]
async fn what_a_stream_never_sends_is_given_up_by_name() {
    for variant in VARIANTS {
        let plane = Plane::start().await;
        let [port, admin] = [ports::free(), ports::free()];
        let hasty = |text: String| {
            let all = "{ ads: {}, resource_api_version: V3 }";
            text.replace(
                all,
                "{ ads: {}, resource_api_version: V3, initial_fetch_timeout: 0.2s }",
            )
        };
        let all = [cluster("lost"), listener("main", port, "missed", "main")];
        plane.say(&hasty(all.concat()));
        let config = bootstrap(variant, plane.port, admin);
        let proxy = Proxy::start(Kind::Tandem, &config, admin).await.unwrap();
        assert_eq!(h1::get(port, "/").await.unwrap().0, 404);
        for name in ["lost", "missed"] {
            let said = format!("name={name}");
            let told = || {
                let output = proxy.process.output();
                let mut lines = output.lines();
                lines.any(|line| line.contains("in initial_fetch_timeout") && line.contains(&said))
            };
            let told = wait::until(wait::PATIENCE, told).await;
            assert!(told, "{name}: {}", proxy.process.output());
        }
        let page = proxy.admin("/stats?usedonly").await;
        for name in [
            "cluster.lost",
            "http.main.rds.missed",
            "cluster_manager.eds",
            "http.rds",
        ] {
            let line = format!("{name}.init_fetch_timeout: 1\n");
            assert!(page.contains(&line), "{line}: {page}");
        }
    }
}
