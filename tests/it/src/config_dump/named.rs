//! What is asked for by name: secrets and endpoints.

use tandem_harness::wait;

use super::*;

const SECRET: &str = "extensions.transport_sockets.tls.v3.Secret";
const ENDPOINTS: &str = "config.endpoint.v3.ClusterLoadAssignment";

/// A listener that asks for its certificate.
fn asking(name: &str, folder: &Folder) -> Value {
    let mut source = file(folder, "sds.json");
    source["initial_fetch_timeout"] = "0.5s".into();
    let wanted = json!({ "name": name, "sds_config": source });
    let listener = listener(
        name,
        &json!({ "tls_certificate_sds_secret_configs": [wanted] }),
    );
    typed("config.listener.v3.Listener", &listener)
}

fn endpoints(name: &str, weight: u32) -> Value {
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 9 } });
    let endpoint = json!({ "endpoint": { "address": address }, "load_balancing_weight": weight });
    let assignment = json!({ "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] });
    typed(ENDPOINTS, &assignment)
}

fn names(items: &[Value]) -> Vec<String> {
    let name = |item: &Value| match item["name"].as_str() {
        Some(name) => name.to_owned(),
        None => item["endpoint_config"]["cluster_name"]
            .as_str()
            .unwrap()
            .to_owned(),
    };
    let mut names: Vec<_> = items.iter().map(name).collect();
    names.sort();
    names
}

/// What came, what is still waited for, what stands in the bootstrap: as in Envoy. What was
/// refused stands beside what is in force.
#[tokio::test]
async fn secrets_and_endpoints_are_shown() {
    let authority = Authority::new();
    let issued = authority.issue(&["a.test"]);
    let mut seen = Vec::new();
    for kind in [Kind::Tandem, Kind::Envoy] {
        let folder = Folder::new();
        let secret = |issued: &Issued| {
            let secret = json!({ "name": "came", "tls_certificate": certificate(issued) });
            typed(SECRET, &secret)
        };
        deliver(
            &folder,
            "lds.json",
            "1",
            &[asking("came", &folder), asking("absent", &folder)],
        );
        deliver(&folder, "sds.json", "7", &[secret(&issued)]);
        deliver(&folder, "eds.json", "8", &[endpoints("found", 1)]);
        let statics = json!({
            "secrets": [{ "name": "named", "tls_certificate": certificate(&issued) }],
            "clusters": [
                { "name": "up", "connect_timeout": "1s", "load_assignment": { "cluster_name": "up" } },
                { "name": "found", "type": "EDS", "connect_timeout": "1s",
                  "eds_cluster_config": { "eds_config": file(&folder, "eds.json") } },
            ],
        });
        let proxy = start(kind, &folder, &statics).await;
        let shown = dump(&proxy, "?include_eds").await;
        let active = list(&shown, "Secrets", "dynamic_active_secrets");
        seen.push((
            names(list(&shown, "Secrets", "static_secrets")),
            names(active),
            names(list(&shown, "Secrets", "dynamic_warming_secrets")),
            names(list(&shown, "Endpoints", "static_endpoint_configs")),
            active[0]["version_info"].clone(),
            active[0]["secret"].clone(),
        ));
        if kind == Kind::Envoy {
            continue;
        }
        let mut wrong = secret(&issued);
        wrong["tls_certificate"]["private_key"] = json!({ "inline_string": authority.key() });
        deliver(&folder, "sds.json", "9", &[wrong]);
        deliver(&folder, "eds.json", "9", &[endpoints("found", 0)]);
        let refused = wait::until_async(wait::PATIENCE, || async {
            let shown = dump(&proxy, "?include_eds").await;
            let secret = &list(&shown, "Secrets", "dynamic_active_secrets")[0];
            let endpoints = list(&shown, "Endpoints", "static_endpoint_configs");
            let endpoints = endpoints.iter().find(|one| !one["error_state"].is_null());
            secret["error_state"]["version_info"] == "9"
                && secret["version_info"] == "7"
                && endpoints.is_some_and(|one| one["error_state"]["version_info"] == "9")
        });
        assert!(
            refused.await,
            "{}",
            proxy.admin("/config_dump?include_eds").await
        );
    }
    assert_eq!(seen[0], seen[1]);
}
