//! `/config_dump` in Envoy's shape (`admin.v3.ConfigDump`), made from the bootstrap and from what
//! control planes sent.

mod ask;

pub(super) use ask::{Ask, Refused};

use std::time::SystemTime;

use serde_json::{Value, json};
use tandem_xds_translate::cascade::Dump;

const ADMIN: &str = "envoy.admin.v3.";

/// A list of a section: the field's name, the type of an item within the section's type, the items.
type List = (&'static str, &'static str, Vec<Value>);

/// What was asked for.
///
/// # Errors
/// What Envoy would answer: the list is not there, the mask does not fit.
pub(super) fn dump(
    (bootstrap, read): (&Value, SystemTime),
    dynamic: Dump,
    ask: &Ask,
) -> Result<Value, Refused> {
    let versions = [
        ("Clusters", dynamic.clusters_version.clone()),
        ("Listeners", dynamic.listeners_version.clone()),
    ];
    let mut sections = sections(&bootstrap["static_resources"], dynamic);
    if !ask.include_eds {
        sections.retain(|(name, _)| *name != "Endpoints");
    }
    let items = sections.iter_mut().flat_map(|(_, lists)| lists);
    items.for_each(|(_, _, items)| items.retain(|item| ask.names(item)));
    let selected = match &ask.resource {
        Some(resource) => ask.items(list(sections, resource)?)?,
        None => {
            let mut all = vec![json!({
                "@type": format!("type.googleapis.com/{ADMIN}BootstrapConfigDump"),
                "bootstrap": bootstrap,
                "last_updated": prost_types::Timestamp::from(read).to_string(),
            })];
            all.extend(sections.into_iter().map(|one| section(one, &versions)));
            ask.sections(all)?
        }
    };
    Ok(json!({ "configs": selected }))
}

/// The items of one list, each with its type.
fn list(sections: Vec<(&str, Vec<List>)>, wanted: &str) -> Result<Vec<Value>, Refused> {
    if wanted == "bootstrap" {
        return Err(Refused::Single(wanted.to_owned()));
    }
    for (section, lists) in sections {
        for (field, item, items) in lists {
            if field == wanted {
                let ty = format!("{ADMIN}{section}ConfigDump.{item}");
                return Ok(items.iter().map(|item| typed(item, &ty)).collect());
            }
        }
    }
    Err(Refused::NotFound(wanted.to_owned()))
}

/// One section of the dump; empty lists are left out, as everywhere in protobuf's JSON.
fn section((name, lists): (&str, Vec<List>), versions: &[(&str, String)]) -> Value {
    let mut section = json!({ "@type": format!("type.googleapis.com/{ADMIN}{name}ConfigDump") });
    let version = versions.iter().find(|(of, _)| *of == name);
    if let Some((_, version)) = version.filter(|(_, version)| !version.is_empty()) {
        section["version_info"] = version.as_str().into();
    }
    for (name, _, list) in lists {
        if !list.is_empty() {
            section[name] = list.into();
        }
    }
    section
}

fn sections(statics: &Value, dynamic: Dump) -> Vec<(&'static str, Vec<List>)> {
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
    let routes = found
        .into_iter()
        .map(|route| json!({ "route_config": route }));
    let mut scopes = Vec::new();
    inline_scopes(statics, &mut scopes);
    let mut endpoints = assignments(&statics["clusters"]);
    endpoints.extend(dynamic.static_endpoints);
    let secret = "envoy.extensions.transport_sockets.tls.v3.Secret";
    let mut secrets = each(&statics["secrets"], "secret", secret);
    for secret in &mut secrets {
        secret["name"] = secret["secret"]["name"].clone();
    }
    vec![
        (
            "Clusters",
            vec![
                ("static_clusters", "StaticCluster", clusters),
                (
                    "dynamic_active_clusters",
                    "DynamicCluster",
                    dynamic.active_clusters,
                ),
                (
                    "dynamic_warming_clusters",
                    "DynamicCluster",
                    dynamic.warming_clusters,
                ),
            ],
        ),
        (
            "Ecds",
            vec![("ecds_filters", "EcdsFilterConfig", dynamic.extensions)],
        ),
        (
            "Endpoints",
            vec![
                ("static_endpoint_configs", "StaticEndpointConfig", endpoints),
                (
                    "dynamic_endpoint_configs",
                    "DynamicEndpointConfig",
                    dynamic.endpoints,
                ),
            ],
        ),
        (
            "Listeners",
            vec![
                ("static_listeners", "StaticListener", listeners),
                ("dynamic_listeners", "DynamicListener", dynamic.listeners),
            ],
        ),
        (
            "Routes",
            vec![
                (
                    "static_route_configs",
                    "StaticRouteConfig",
                    routes.collect(),
                ),
                (
                    "dynamic_route_configs",
                    "DynamicRouteConfig",
                    dynamic.routes,
                ),
            ],
        ),
        (
            "ScopedRoutes",
            vec![
                (
                    "inline_scoped_route_configs",
                    "InlineScopedRouteConfigs",
                    scopes,
                ),
                (
                    "dynamic_scoped_route_configs",
                    "DynamicScopedRouteConfigs",
                    dynamic.scopes,
                ),
            ],
        ),
        (
            "Secrets",
            vec![
                ("static_secrets", "StaticSecret", secrets),
                (
                    "dynamic_active_secrets",
                    "DynamicSecret",
                    dynamic.active_secrets,
                ),
                (
                    "dynamic_warming_secrets",
                    "DynamicSecret",
                    dynamic.warming_secrets,
                ),
            ],
        ),
    ]
}

/// The endpoints that stand in the bootstrap.
fn assignments(clusters: &Value) -> Vec<Value> {
    let ty = "envoy.config.endpoint.v3.ClusterLoadAssignment";
    let clusters = clusters.as_array().into_iter().flatten();
    let given = clusters.map(|cluster| &cluster["load_assignment"]);
    let given = given.filter(|assignment| assignment.is_object());
    given
        .map(|assignment| json!({ "endpoint_config": typed(assignment, ty) }))
        .collect()
}

fn each(list: &Value, key: &str, type_name: &str) -> Vec<Value> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|item| json!({ key: typed(item, type_name) }))
        .collect()
}

/// A message as an `Any` is written.
fn typed(message: &Value, type_name: &str) -> Value {
    let mut typed = json!({ "@type": format!("type.googleapis.com/{type_name}") });
    if let (Some(typed), Some(message)) = (typed.as_object_mut(), message.as_object()) {
        typed.extend(message.clone());
    }
    typed
}

/// Route configurations are inline in connection managers, however deep these stand.
fn routes(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if name == "route_config" && value.is_object() {
                    found.push(typed(value, "envoy.config.route.v3.RouteConfiguration"));
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
                let scope =
                    |scope: &Value| typed(scope, "envoy.config.route.v3.ScopedRouteConfiguration");
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
