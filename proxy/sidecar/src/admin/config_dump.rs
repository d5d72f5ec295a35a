//! `/config_dump` in Envoy's shape (`admin.v3.ConfigDump`), made from the bootstrap and from what
//! control planes sent.

use serde_json::{Value, json};
use tandem_xds_translate::cascade::Dump;

const ADMIN: &str = "type.googleapis.com/envoy.admin.v3.";

/// The dump; `resource` selects one list, as Envoy's parameter does (`static_clusters`, …).
pub(crate) fn dump(bootstrap: &Value, dynamic: Dump, resource: Option<&str>) -> Value {
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
    let mut scopes = Vec::new();
    inline_scopes(statics, &mut scopes);
    let selected = match resource {
        Some("bootstrap") => vec![bootstrap.clone()],
        Some("static_clusters") => clusters,
        Some("static_listeners") => listeners,
        Some("static_route_configs") => routes,
        Some("dynamic_active_clusters") => dynamic.active_clusters,
        Some("dynamic_warming_clusters") => dynamic.warming_clusters,
        Some("dynamic_listeners") => dynamic.listeners,
        Some("dynamic_route_configs") => dynamic.routes,
        Some("inline_scoped_route_configs") => scopes,
        Some("dynamic_scoped_route_configs") => dynamic.scopes,
        Some("ecds_filters") => dynamic.extensions,
        Some(_) => Vec::new(),
        None => vec![
            json!({ "@type": format!("{ADMIN}BootstrapConfigDump"), "bootstrap": bootstrap }),
            section(
                "Clusters",
                [
                    ("static_clusters", clusters),
                    ("dynamic_active_clusters", dynamic.active_clusters),
                    ("dynamic_warming_clusters", dynamic.warming_clusters),
                ],
            ),
            section("Ecds", [("ecds_filters", dynamic.extensions)]),
            section(
                "Listeners",
                [
                    ("static_listeners", listeners),
                    ("dynamic_listeners", dynamic.listeners),
                ],
            ),
            section(
                "Routes",
                [
                    ("static_route_configs", routes),
                    ("dynamic_route_configs", dynamic.routes),
                ],
            ),
            section(
                "ScopedRoutes",
                [
                    ("inline_scoped_route_configs", scopes),
                    ("dynamic_scoped_route_configs", dynamic.scopes),
                ],
            ),
        ],
    };
    json!({ "configs": selected })
}

/// One section of the dump; empty lists are left out, as everywhere in protobuf's JSON.
fn section<const N: usize>(name: &str, lists: [(&str, Vec<Value>); N]) -> Value {
    let mut section = serde_json::Map::new();
    section.insert(
        "@type".to_owned(),
        format!("{ADMIN}{name}ConfigDump").into(),
    );
    for (name, list) in lists {
        if !list.is_empty() {
            section.insert(name.to_owned(), list.into());
        }
    }
    section.into()
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

/// Scoped routes whose scopes stand beside them.
fn inline_scopes(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(object) => {
            let list = &value["scoped_routes"]["scoped_route_configurations_list"];
            if let Some(scopes) = list["scoped_route_configurations"].as_array() {
                let scope = |scope: &Value| {
                    let mut typed = json!({
                        "@type": "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
                    });
                    if let (Some(typed), Some(scope)) = (typed.as_object_mut(), scope.as_object()) {
                        typed.extend(scope.clone());
                    }
                    typed
                };
                let scopes: Vec<Value> = scopes.iter().map(scope).collect();
                let name = &value["scoped_routes"]["name"];
                found.push(json!({ "name": name, "scoped_route_configs": scopes }));
            }
            object
                .values()
                .for_each(|value| inline_scopes(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| inline_scopes(item, found)),
        _ => {}
    }
}
