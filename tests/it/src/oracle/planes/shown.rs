//! What a proxy shows of its configuration, as named texts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tandem_harness::Proxy;

use crate::mesh::told::Told;
use crate::oracle::Fields;

/// The counters and gauges that both have, and that tell what became of an update.
const STATS: &[&str] = &[
    "cluster_manager.cluster_added",
    "cluster_manager.cluster_modified",
    "cluster_manager.cluster_removed",
    "cluster_manager.active_clusters",
    "cluster_manager.warming_clusters",
    "cluster_manager.cds.update_success",
    "cluster_manager.cds.update_rejected",
    "listener_manager.listener_added",
    "listener_manager.listener_modified",
    "listener_manager.listener_removed",
    "listener_manager.listener_in_place_updated",
    "listener_manager.listener_create_success",
    "listener_manager.listener_create_failure",
    "listener_manager.total_listeners_active",
    "listener_manager.total_listeners_warming",
    "listener_manager.lds.update_success",
    "listener_manager.lds.update_rejected",
    "control_plane.connected_state",
    "cluster.one.membership_total",
    "cluster.one.membership_healthy",
    "cluster.one.membership_degraded",
    "cluster.one.membership_excluded",
    "cluster.two.membership_total",
    "cluster.two.membership_healthy",
    "http.main.rds.r.config_reload",
    "http.main.rds.r.update_success",
    "http.main.rds.r.update_rejected",
    "http.main.rds.r.update_empty",
    "http.main.rds.r.init_fetch_timeout",
    "runtime.num_layers",
];

/// The counters, and all versions.
pub async fn stats(proxy: &Proxy, fields: &mut Fields) {
    let page = proxy.admin("/stats").await;
    let values: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    for name in STATS {
        let value = values.get(name).copied().unwrap_or("0");
        fields.insert(format!("stat.{name}"), value.to_owned());
    }
    for (name, value) in values {
        if name == "server.version" {
            // Each has a number of its own.
            continue;
        }
        if name.ends_with(".version") || name.ends_with(".version_text") {
            fields.insert(format!("stat.{name}"), value.to_owned());
        }
        // No two processes do it in the same moment.
        if name.ends_with(".update_time") {
            let value = if value == "0" { "never" } else { "once" };
            fields.insert(format!("stat.{name}"), value.to_owned());
        }
    }
}

/// `/config_dump`: each list of each part, with names, versions and states.
pub async fn dump(proxy: &Proxy, fields: &mut Fields) {
    let page = proxy.admin("/config_dump?include_eds").await;
    let page: Value = serde_json::from_str(&page).unwrap();
    for part in page["configs"].as_array().into_iter().flatten() {
        let of = short(part["@type"].as_str().unwrap_or_default());
        // What files say is no part of the comparison.
        if of == "BootstrapConfigDump" {
            continue;
        }
        if let Some(version) = part["version_info"].as_str() {
            let of = of.trim_end_matches("ConfigDump");
            fields.insert(format!("dump.{of}.version_info"), version.to_owned());
        }
        for (list, entries) in part.as_object().into_iter().flatten() {
            let Some(entries) = entries.as_array().filter(|_| !list.starts_with("static")) else {
                continue;
            };
            let mut entries: Vec<(String, String)> = entries.iter().map(entry).collect();
            entries.sort();
            let (states, versions): (Vec<String>, Vec<String>) = entries.into_iter().unzip();
            let of = of.trim_end_matches("ConfigDump");
            fields.insert(format!("dump.{of}.{list}"), states.join(" "));
            fields.insert(format!("versions.{of}.{list}"), versions.join(" "));
        }
    }
}

/// A name with states, and the same with versions.
fn entry(entry: &Value) -> (String, String) {
    let named = |value: &Value| {
        let found = value.get("name").or_else(|| value.get("cluster_name"));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    let mut children = entry.as_object().into_iter().flatten();
    let name = named(entry).or_else(|| children.find_map(|(_, child)| named(child)));
    let (mut states, mut versions) = (name.clone().unwrap_or_default(), name.unwrap_or_default());
    if let Some(version) = entry["version_info"].as_str() {
        versions += &format!("@{version}");
    }
    for state in ["active_state", "warming_state", "error_state"] {
        if let Some(found) = entry.get(state) {
            let version = found["version_info"].as_str().unwrap_or_default();
            states += &format!("({state})");
            versions += &format!("({state}@{version})");
        }
    }
    (states, versions)
}

/// What the control plane was asked and answered since it heard the first `heard` answers.
pub fn told(told: &Told, heard: usize, names: &BTreeSet<String>, fields: &mut Fields) {
    for (url, asked) in &told.names {
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        fields.insert(format!("asks.{}", short(url)), asked.join(" "));
    }
    let order: Vec<&str> = told.order.iter().map(|url| short(url)).collect();
    fields.insert("order".into(), order.join(" "));
    let begun = |((url, name), version): (&(String, String), &String)| {
        format!("{} {name}@{version}", short(url))
    };
    let begun: Vec<String> = told.begun_with.iter().map(begun).collect();
    fields.insert("begun".into(), begun.join(", "));
    let mut answers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (url, version, refusal) in &told.answers[heard..] {
        let answer = match refusal {
            None => format!("{version} accepted"),
            Some(reason) => format!("{version} refused: {}", mentioned(reason, names)),
        };
        let all = answers.entry(short(url)).or_default();
        // How many responses a version takes is the control plane's affair.
        if all.last() != Some(&answer) {
            all.push(answer);
        }
    }
    for (of, answers) in answers {
        fields.insert(format!("answers.{of}"), answers.join(", "));
    }
}

/// Those of the resources that a refusal names.
fn mentioned(reason: &str, names: &BTreeSet<String>) -> String {
    let words: BTreeSet<&str> = reason
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_')
        .collect();
    let named: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| words.contains(name))
        .collect();
    named.join(" ")
}

fn short(url: &str) -> &str {
    url.rsplit('.').next().unwrap_or(url)
}
