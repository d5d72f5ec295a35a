//! `server.*` and `listener_manager.workers_started`: the process as a whole, under Envoy's names.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tandem_core::stats::{Gauge, Histogram, Registry, Sample, Scope, Source, Value};
use tandem_transport::tls::{InUse, ServerContext};
use tandem_upstream::ClusterManager;

use super::certs::days_until;
use super::{State, memory};
use crate::listeners::Addresses;

/// What is known of the process when somebody asks.
pub(crate) struct Server {
    pub(crate) state: State,
    pub(crate) started: Instant,
    pub(crate) concurrency: usize,
    pub(crate) clusters: Arc<ClusterManager>,
    pub(crate) listeners: Addresses,
    pub(crate) registry: Registry,
    pub(crate) begun: Begun,
}

/// What happens once: the process begins to serve.
pub(crate) struct Begun {
    workers_started: Gauge,
    initialization: Histogram,
}

impl Begun {
    /// It has not happened.
    pub(crate) fn not_yet(registry: &Registry) -> Self {
        Self {
            workers_started: registry.plain("listener_manager").gauge("workers_started"),
            initialization: registry.plain("server").histogram("initialization_time_ms"),
        }
    }
}

impl Server {
    /// Everything that was asked for at start has come: the process serves from now on.
    pub(crate) fn live(&self, took: Duration) {
        self.begun.initialization.record(took);
        self.state.live();
        self.begun.workers_started.set(1);
    }

    /// Of all certificates that are shown or trusted now.
    fn days_until_first_cert_expires(&self) -> Option<u64> {
        let served = of_listeners(&self.listeners, &self.clusters);
        let of_listeners = served.iter().filter_map(|context| context.first_end());
        let first = of_listeners.chain(self.clusters.first_certificate_end());
        // One that has expired has no days left.
        let end = first.min()?;
        Some(days_until(end, SystemTime::now()).unwrap_or(0))
    }
}

/// The TLS contexts of the listeners and clusters that are served, each on its own.
pub(super) fn in_use(listeners: &Addresses, clusters: &ClusterManager) -> Vec<InUse> {
    let contexts = of_listeners(listeners, clusters);
    let contexts = contexts.iter().filter_map(|context| context.in_use());
    contexts.chain(clusters.certificates()).collect()
}

fn of_listeners(listeners: &Addresses, clusters: &ClusterManager) -> Vec<Arc<ServerContext>> {
    let listeners = listeners.served();
    let chains = listeners.iter().flat_map(|listener| listener.chains());
    let configs = chains.filter_map(|chain| chain.transport_socket.as_ref());
    let contexts = configs.filter_map(|config| clusters.tls().used_server(config));
    contexts.collect()
}

impl Source for Server {
    fn scope(&self, registry: &Registry) -> Scope {
        registry.plain("server")
    }

    fn visit(&self, visit: &mut dyn FnMut(Sample<'_>)) {
        let state = self.state.number();
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let days = self.days_until_first_cert_expires();
        let uptime = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        let all = [
            ("concurrency", number(self.concurrency)),
            // Envoy's number where there is none, and its largest.
            (
                "days_until_first_cert_expiring",
                i64::from(days.map_or(u32::MAX, |days| u32::try_from(days).unwrap_or(u32::MAX))),
            ),
            ("hot_restart_epoch", 0),
            ("live", i64::from(state != DRAINING)),
            ("parent_connections", 0),
            ("state", i64::from(state)),
            (
                "total_connections",
                self.registry.sum_of_listeners("downstream_cx_active"),
            ),
            ("uptime", uptime),
        ];
        for (name, n) in all.into_iter().chain(memory::sizes()) {
            visit(Sample {
                name,
                family: name,
                label: None,
                value: Value::Set(n),
            });
        }
    }
}

/// [`State::number`] of a process that ends.
const DRAINING: u8 = 1;
