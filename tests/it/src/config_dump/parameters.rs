//! What `/config_dump` is asked for: obeyed, or refused in Envoy's words.

use tandem_harness::client::h1;

use super::*;

const QUERIES: [&str; 22] = [
    "",
    "?include_eds",
    "?resource=nope",
    "?resource=bootstrap",
    "?resource=static_clusters",
    "?resource=static_clusters&mask=cluster.name",
    "?resource=static_clusters&mask=cluster.name,cluster.connect_timeout",
    "?resource=static_clusters&mask=nope",
    "?resource=static_clusters&mask=cluster.nope",
    "?resource=static_clusters&name_regex=u",
    "?resource=static_clusters&name_regex=u.*",
    "?resource=static_endpoint_configs",
    "?resource=static_endpoint_configs&include_eds&mask=endpoint_config.cluster_name",
    "?resource=static_listeners&mask=listener.name",
    "?resource=dynamic_listeners&mask=name,active_state.listener.filter_chains.name",
    "?mask=static_clusters",
    "?mask=nope",
    "?mask=bootstrap,static_clusters",
    "?mask=bootstrap.node.id",
    "?mask=static_clusters.cluster",
    "?name_regex=zz&mask=static_clusters",
    "?name_regex=(",
];

/// What can be compared: refusals up to where libraries speak, names of the fields of whole
/// sections that both have, everything else word for word.
fn comparable(query: &str, status: u16, body: &str) -> Value {
    if status != 200 {
        let libraries = [" goo.gle", ": missing", ": invalid"];
        let cut = libraries.iter().filter_map(|word| body.find(word)).min();
        let said = &body[..cut.unwrap_or(body.len())];
        let mask = said.ends_with("could not be successfully used.");
        return json!([status, if mask { "FieldMask" } else { said }]);
    }
    // when it came differs, and of the bootstrap only Envoy says it
    let timeless = body
        .lines()
        .filter(|line| !line.contains("\"last_updated\""));
    let timeless = timeless.flat_map(str::split_whitespace).collect::<String>();
    let dump: Value = serde_json::from_str(&timeless.replace(",}", "}")).unwrap();
    let mut shown = Vec::new();
    for config in dump["configs"].as_array().into_iter().flatten() {
        let ty = config["@type"].as_str().unwrap();
        if ty.ends_with("EcdsConfigDump") || ty.ends_with("RoutesConfigDump") {
            continue;
        }
        let fields = config.as_object().unwrap().keys();
        let fields = fields.filter(|field| *field != "version_info");
        shown.push(
            match ty.ends_with("ConfigDump") && !query.contains("mask") {
                true => json!([ty, fields.collect::<Vec<_>>()]),
                false => config.clone(),
            },
        );
    }
    json!([status, shown])
}

/// Every parameter does what it does in Envoy.
#[tokio::test]
async fn parameters_select_or_are_refused() {
    let authority = Authority::new();
    let issued = authority.issue(&["a.test"]);
    let mut seen = Vec::new();
    for kind in [Kind::Tandem, Kind::Envoy] {
        let folder = Folder::new();
        let ty = "config.listener.v3.Listener";
        let came = typed(ty, &listener("came", &inline(&issued)));
        deliver(&folder, "lds.json", "1", &[came]);
        let statics = json!({
            "listeners": [listener("own", &inline(&issued))],
            "secrets": [{ "name": "named", "tls_certificate": certificate(&issued) }],
            "clusters": [{ "name": "up", "connect_timeout": "1s", "load_assignment": { "cluster_name": "up" } }],
        });
        let proxy = start(kind, &folder, &statics).await;
        let mut answers = Vec::new();
        for query in QUERIES {
            let path = format!("/config_dump{query}");
            let (status, body) = h1::get(proxy.admin, &path).await.unwrap();
            answers.push((query, comparable(query, status, &body)));
        }
        seen.push(answers);
    }
    // Envoy shows what it made of a cluster, not what was said
    let made =
        |query: &str| query == "?resource=static_clusters" || query.ends_with("name_regex=u.*");
    let pairs = seen[0].iter().zip(&seen[1]);
    let other: Vec<_> = pairs
        .filter(|(ours, theirs)| ours != theirs && !made(ours.0))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
}
