//! The text of `/clusters`, in Envoy's format.

mod status;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tandem_model::cluster::{EndpointHealth, Thresholds};

use crate::cluster::SharedCluster;
use crate::host::Host;

pub use status::{ClusterStatus, HostStatus};

/// One block for each cluster, one line for each fact.
pub(crate) fn text(clusters: &[Arc<SharedCluster>]) -> String {
    let mut out = String::new();
    for cluster in clusters {
        write_cluster(&mut out, cluster);
    }
    out
}

fn write_cluster(out: &mut String, cluster: &SharedCluster) {
    let config = &cluster.config;
    let name = &config.name;
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(out, "{name}::{key}::{value}");
    };
    line("observability_name", &config.stat_name);
    if config.outlier_detection.is_some() {
        let kinds = ["success_rate", "local_origin_success_rate"];
        for (kind, norm) in kinds.iter().zip(cluster.norms.get()) {
            let [average, threshold] = norm.map_or([-1.0; 2], |n| [n.average, n.threshold]);
            line(&format!("outlier::{kind}_average"), &general(average));
            line(
                &format!("outlier::{kind}_ejection_threshold"),
                &general(threshold),
            );
        }
    }
    let limits = [
        ("default_priority", &config.circuit_breakers),
        ("high_priority", &config.circuit_breakers_high),
    ];
    for (priority, thresholds) in limits {
        let Thresholds {
            max_connections,
            max_pending_requests,
            max_requests,
            max_retries,
            ..
        } = thresholds;
        line(&format!("{priority}::max_connections"), max_connections);
        line(
            &format!("{priority}::max_pending_requests"),
            max_pending_requests,
        );
        line(&format!("{priority}::max_requests"), max_requests);
        line(&format!("{priority}::max_retries"), max_retries);
    }
    line("added_via_api", &cluster.via_api);
    for host in &cluster.hosts().hosts {
        write_host(out, name, host);
    }
    for host in cluster.hosts_on_demand() {
        write_host(out, name, &host);
    }
}

fn write_host(out: &mut String, cluster: &str, host: &Host) {
    let state = &host.state;
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(out, "{cluster}::{}::{key}::{value}", host.text());
    };
    line("cx_active", &state.active_connections.load(Relaxed));
    line("cx_connect_fail", &state.connect_failures.load(Relaxed));
    line("cx_total", &state.total_connections.load(Relaxed));
    line("rq_active", &state.active_requests.load(Relaxed));
    line("rq_error", &state.errors.load(Relaxed));
    line("rq_pending_active", &state.pending_requests.load(Relaxed));
    line("rq_success", &state.successes.load(Relaxed));
    line("rq_timeout", &state.timeouts.load(Relaxed));
    line("rq_total", &state.total_requests.load(Relaxed));
    line("hostname", &host.hostname);
    line("health_flags", &health_flags(host));
    line("weight", &host.weight);
    line("region", &host.group.locality.region);
    line("zone", &host.group.locality.zone);
    line("sub_zone", &host.group.locality.sub_zone);
    line("canary", &"false");
    line("priority", &host.group.priority);
    let [external, local] = state.success_rates().map(|rate| rate.unwrap_or(-1.0));
    line("success_rate", &external);
    line("local_origin_success_rate", &local);
}

/// Six digits that count, as C's `%g` of numbers that need no exponent.
fn general(number: f64) -> f64 {
    let before_the_point = match number.abs() {
        small if small < 1.0 => 0,
        large => large.log10().floor() as i32 + 1,
    };
    let scale = 10_f64.powi(6 - before_the_point);
    (number * scale).round() / scale
}

fn health_flags(host: &Host) -> String {
    let mut flags = String::new();
    if host.state.ejected.load(Relaxed) {
        flags.push_str("/failed_outlier_check");
    }
    match host.health {
        EndpointHealth::Healthy => {}
        EndpointHealth::Unhealthy => flags.push_str("/failed_eds_health"),
        EndpointHealth::Degraded => flags.push_str("/degraded_eds_health"),
        EndpointHealth::Draining => flags.push_str("/eds_status_draining"),
    }
    if flags.is_empty() {
        flags.push_str("healthy");
    }
    flags
}
