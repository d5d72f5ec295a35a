//! `/config_dump` in Envoy's shape (`admin.v3.ConfigDump`), made from the bootstrap.

use serde_json::{Value, json};

const ADMIN: &str = "type.googleapis.com/envoy.admin.v3.";

/// The dump; `resource` selects one list, as Envoy's parameter does (`static_clusters`, …).
pub(crate) fn dump(bootstrap: &Value, resource: Option<&str>) -> Value {
    let statics = &bootstrap["static_resources"];
    let clusters = each(
        &statics["clusters"],
        "cluster",
        "envoy.config.cluster.v3.Cluster",
    );
    let listeners = each(
        &statics["listeners"],
        "listener",
        "envoy.config.listener.v3.Listener",
    );
    let mut found = Vec::new();
    routes(statics, &mut found);
    let routes: Vec<Value> = found
        .into_iter()
        .map(|route| json!({ "route_config": route }))
        .collect();
    let selected = match resource {
        Some("bootstrap") => vec![bootstrap.clone()],
        Some("static_clusters") => clusters,
        Some("static_listeners") => listeners,
        Some("static_route_configs") => routes,
        Some(_) => Vec::new(),
        None => vec![
            json!({ "@type": format!("{ADMIN}BootstrapConfigDump"), "bootstrap": bootstrap }),
            json!({ "@type": format!("{ADMIN}ClustersConfigDump"), "static_clusters": clusters }),
            json!({ "@type": format!("{ADMIN}ListenersConfigDump"), "static_listeners": listeners }),
            json!({ "@type": format!("{ADMIN}RoutesConfigDump"), "static_route_configs": routes }),
        ],
    };
    json!({ "configs": selected })
}

fn each(list: &Value, key: &str, type_name: &str) -> Vec<Value> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let mut item = item.clone();
            if let Some(object) = item.as_object_mut() {
                object.insert(
                    "@type".to_owned(),
                    format!("type.googleapis.com/{type_name}").into(),
                );
            }
            json!({ key: item })
        })
        .collect()
}

/// Route configurations are inline in connection managers, however deep these stand.
fn routes(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if name == "route_config" && value.is_object() {
                    found.push(value.clone());
                } else {
                    routes(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| routes(item, found)),
        _ => {}
    }
}
