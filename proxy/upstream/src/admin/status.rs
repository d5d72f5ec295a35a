//! What `/clusters` shows, as data.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tandem_model::Address;
use tandem_model::bootstrap::Locality;
use tandem_model::cluster::{Discovery, EndpointHealth, Thresholds};

use crate::cluster::SharedCluster;
use crate::host::Host;

/// A cluster and its endpoints now (`admin.v3.ClusterStatus`).
#[derive(Clone, Debug)]
pub struct ClusterStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Its name in metrics.
    pub observability_name: Arc<str>,
    /// The name under which its endpoints are asked for, if that is not its own.
    pub eds_service_name: Option<Arc<str>>,
    /// Whether a control plane brought it.
    pub added_via_api: bool,
    /// Below which success rate its endpoints are ejected: of answers, and of connections.
    pub success_rate_thresholds: [Option<f64>; 2],
    /// Its limits, of the default and the high priority.
    pub thresholds: [Thresholds; 2],
    /// Its endpoints.
    pub hosts: Vec<HostStatus>,
}

/// An endpoint (`admin.v3.HostStatus`).
#[derive(Clone, Debug)]
pub struct HostStatus {
    /// Where it is.
    pub address: Address,
    /// Its name, if it has one.
    pub hostname: Arc<str>,
    /// Counters, by their names.
    pub counters: [(&'static str, u64); 6],
    /// Gauges, by their names.
    pub gauges: [(&'static str, u64); 3],
    /// What its configuration says of its health.
    pub health: EndpointHealth,
    /// Whether outlier detection has ejected it.
    pub failed_outlier_check: bool,
    /// Its success rates in percent, of answers and of connections, if enough is known.
    pub success_rates: [Option<f64>; 2],
    /// Its weight.
    pub weight: u32,
    /// Its priority.
    pub priority: u32,
    /// Its locality.
    pub locality: Locality,
}

impl ClusterStatus {
    pub(crate) fn of(cluster: &SharedCluster) -> Self {
        let config = &cluster.config;
        let hosts = cluster.hosts();
        let known = hosts.hosts.iter().map(|host| HostStatus::of(host));
        let on_demand = cluster.hosts_on_demand();
        let on_demand = on_demand.into_iter().map(|host| HostStatus::of(&host));
        Self {
            name: Arc::clone(&config.name),
            observability_name: Arc::clone(&config.stat_name),
            eds_service_name: match &config.discovery {
                Discovery::Eds(eds) if eds.key.name != config.name => {
                    Some(Arc::clone(&eds.key.name))
                }
                _ => None,
            },
            added_via_api: cluster.via_api,
            success_rate_thresholds: (cluster.norms.get())
                .map(|norm| norm.map(|norm| norm.threshold)),
            thresholds: [&config.circuit_breakers, &config.circuit_breakers_high].map(Clone::clone),
            hosts: known.chain(on_demand).collect(),
        }
    }
}

impl HostStatus {
    fn of(host: &Host) -> Self {
        let state = &host.state;
        Self {
            address: host.address.clone(),
            hostname: Arc::clone(&host.hostname),
            counters: [
                ("cx_connect_fail", state.connect_failures.load(Relaxed)),
                ("cx_total", state.total_connections.load(Relaxed)),
                ("rq_error", state.errors.load(Relaxed)),
                ("rq_success", state.successes.load(Relaxed)),
                ("rq_timeout", state.timeouts.load(Relaxed)),
                ("rq_total", state.total_requests.load(Relaxed)),
            ],
            gauges: [
                ("cx_active", state.active_connections.load(Relaxed).into()),
                ("rq_active", state.active_requests.load(Relaxed).into()),
                (
                    "rq_pending_active",
                    state.pending_requests.load(Relaxed).into(),
                ),
            ],
            health: host.health,
            failed_outlier_check: state.ejected.load(Relaxed),
            success_rates: state.success_rates(),
            weight: host.weight,
            priority: host.group.priority,
            locality: host.group.locality.clone(),
        }
    }
}
