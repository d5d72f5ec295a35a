//! `/clusters?format=json` and `/listeners?format=json` in Envoy's shapes (`admin.v3.Clusters`,
//! `admin.v3.Listeners`).

use serde_json::{Map, Value, json};
use tandem_model::Address;
use tandem_model::cluster::{EndpointHealth, Thresholds};
use tandem_upstream::{ClusterStatus, HostStatus};

/// All clusters.
pub(super) fn clusters(all: &[ClusterStatus]) -> Value {
    let statuses: Vec<_> = all.iter().map(cluster).collect();
    present([("cluster_statuses", json!(statuses))])
}

/// Where each listener listens.
pub(super) fn listeners<'a>(all: impl Iterator<Item = (&'a str, &'a Address)>) -> Value {
    let statuses = all.map(|(name, at)| json!({ "name": name, "local_address": address(at) }));
    present([("listener_statuses", json!(statuses.collect::<Vec<_>>()))])
}

fn cluster(status: &ClusterStatus) -> Value {
    let hosts: Vec<_> = status.hosts.iter().map(host).collect();
    let [default, high] = &status.thresholds;
    let mut high = limits(high);
    high["priority"] = json!("HIGH");
    // As Envoy: one that nobody can be below is not shown.
    let shown = |one: Option<f64>| percent(one.filter(|threshold| *threshold > 0.0));
    let [threshold, of_local] = status.success_rate_thresholds.map(shown);
    present([
        ("name", json!(&*status.name)),
        ("added_via_api", json!(status.added_via_api)),
        ("success_rate_ejection_threshold", threshold),
        ("local_origin_success_rate_ejection_threshold", of_local),
        ("host_statuses", json!(hosts)),
        (
            "circuit_breakers",
            json!({ "thresholds": [limits(default), high] }),
        ),
        ("observability_name", json!(&*status.observability_name)),
        (
            "eds_service_name",
            json!(status.eds_service_name.as_deref()),
        ),
    ])
}

fn limits(of: &Thresholds) -> Value {
    json!({
        "max_connections": of.max_connections,
        "max_pending_requests": of.max_pending_requests,
        "max_requests": of.max_requests,
        "max_retries": of.max_retries,
    })
}

fn host(status: &HostStatus) -> Value {
    let counters = status.counters.iter().map(|one| metric(*one, None));
    let gauges = status.gauges.iter().map(|one| metric(*one, Some("GAUGE")));
    let stats: Vec<_> = counters.chain(gauges).collect();
    let health = match status.health {
        EndpointHealth::Healthy => "HEALTHY",
        EndpointHealth::Unhealthy => "UNHEALTHY",
        EndpointHealth::Degraded => "DEGRADED",
        EndpointHealth::Draining => "DRAINING",
    };
    let health = present([
        ("failed_outlier_check", json!(status.failed_outlier_check)),
        ("eds_health_status", json!(health)),
    ]);
    let [success_rate, of_local] = status.success_rates.map(percent);
    let place = &status.locality;
    let locality = present([
        ("region", json!(&*place.region)),
        ("zone", json!(&*place.zone)),
        ("sub_zone", json!(&*place.sub_zone)),
    ]);
    let mut shown = present([
        ("address", address(&status.address)),
        ("stats", json!(stats)),
        ("health_status", health),
        ("success_rate", success_rate),
        ("local_origin_success_rate", of_local),
        ("weight", json!(status.weight)),
        ("hostname", json!(&*status.hostname)),
        ("priority", json!(status.priority)),
    ]);
    shown["locality"] = locality;
    shown
}

/// `type.v3.Percent`; whole numbers have no point.
fn percent(value: Option<f64>) -> Value {
    let number = |value: f64| match value.fract() == 0.0 {
        true => json!(value as i64),
        false => json!(value),
    };
    value.map_or(Value::Null, |value| present([("value", number(value))]))
}

/// As protobuf's JSON has all numbers of 64 bits.
fn metric((name, value): (&str, u64), kind: Option<&str>) -> Value {
    let value = (value != 0).then(|| value.to_string());
    present([
        ("name", json!(name)),
        ("type", json!(kind)),
        ("value", json!(value)),
    ])
}

fn address(of: &Address) -> Value {
    match of {
        Address::Socket(at) => json!({ "socket_address": {
            "address": at.ip().to_string(), "port_value": at.port(),
        } }),
        Address::Name { host, port } => json!({ "socket_address": {
            "address": &**host, "port_value": port,
        } }),
        Address::Pipe(pipe) => json!({ "pipe": { "path": &*pipe.path } }),
    }
}

/// An object without what is at its default, as protobuf's JSON leaves it out.
fn present<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_default = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(true) | Value::Object(_) => false,
    };
    let fields = fields.into_iter().filter(|(_, value)| !is_default(value));
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.collect::<Map<_, _>>())
}
