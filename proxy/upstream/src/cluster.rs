//! A cluster as the whole process shares it: hosts, breakers, outlier state, metrics.

mod endpoints;
mod on_demand;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tandem_model::Cluster;
use tandem_model::cluster::{Discovery, LoadAssignment};
use tandem_transport::metered::Meter;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::breaker::Breaker;
use crate::dns;
use crate::host::HostSet;
use crate::outlier::Norms;
use crate::stats::ClusterStats;
use crate::transport::Transports;

pub(crate) use endpoints::{Resolved, addresses};

/// What a control plane may do but say endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Those that were set were of an answer of this version.
    Version(Arc<str>),
    /// In an answer of this version it said them again as they are.
    Unchanged(Arc<str>),
    /// It has none to say.
    Nothing,
    /// What it said was refused.
    Refused,
    /// It did not say any in the time allowed.
    Late,
}

/// One cluster, process-wide.
#[derive(Debug)]
pub(crate) struct SharedCluster {
    /// Its settings. Of the endpoints, those of `latest` count.
    pub(crate) config: Arc<Cluster>,
    pub(crate) stats: Arc<ClusterStats>,
    pub(crate) default_priority: Arc<Breaker>,
    pub(crate) high_priority: Arc<Breaker>,
    /// Where sweeps run.
    pub(crate) control: Handle,
    /// Whether the sweep that compares hosts and ends ejections runs.
    pub(crate) sweeping: AtomicBool,
    /// What hosts are compared with.
    pub(crate) norms: Norms,
    /// No other cluster has it.
    pub(crate) id: u64,
    /// Its place in the order in which names of clusters came.
    pub(crate) place: u64,
    /// Whether a control plane brought it.
    pub(crate) via_api: bool,
    /// What carries its connections.
    pub(crate) transports: Transports,
    latest: ArcSwap<Cluster>,
    hosts: ArcSwap<HostSet>,
    /// Hosts that requests named themselves.
    on_demand: Mutex<on_demand::Hosts>,
    /// Serialises those who publish hosts; readers never take it.
    publishing: Mutex<()>,
    phase: Phase,
    resolving: OnceLock<Resolving>,
}

/// Not yet, or no more to be chosen by requests.
#[derive(Debug, Default)]
struct Phase {
    published: AtomicBool,
    retired: AtomicBool,
}

/// The task that resolves its names.
#[derive(Debug)]
struct Resolving {
    task: AbortHandle,
    first: watch::Receiver<bool>,
}

impl Drop for Resolving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a cluster is made with.
pub(crate) struct Origin<'a> {
    pub(crate) stats: Arc<ClusterStats>,
    pub(crate) control: &'a Handle,
    pub(crate) id: u64,
    pub(crate) place: u64,
    pub(crate) via_api: bool,
    pub(crate) transports: Transports,
}

impl Meter for SharedCluster {
    fn received(&self, n: usize) {
        self.stats.upstream_cx_rx_bytes_total.add(n as u64);
    }

    fn sent(&self, n: usize) {
        self.stats.upstream_cx_tx_bytes_total.add(n as u64);
    }
}

impl SharedCluster {
    /// A cluster whose hosts are the addresses in its configuration; names come later.
    pub(crate) fn new(config: Arc<Cluster>, origin: Origin<'_>) -> Arc<Self> {
        let cluster = Arc::new(Self {
            stats: origin.stats,
            default_priority: Breaker::new(&config.circuit_breakers),
            high_priority: Breaker::new(&config.circuit_breakers_high),
            control: origin.control.clone(),
            sweeping: AtomicBool::new(false),
            norms: Norms::default(),
            id: origin.id,
            place: origin.place,
            via_api: origin.via_api,
            transports: origin.transports,
            latest: ArcSwap::new(Arc::clone(&config)),
            hosts: ArcSwap::default(),
            on_demand: Mutex::default(),
            publishing: Mutex::new(()),
            phase: Phase::default(),
            resolving: OnceLock::new(),
            config,
        });
        let assignment = &cluster.config.load_assignment;
        cluster.set_hosts(assignment, &addresses(assignment));
        if matches!(cluster.config.discovery, Discovery::Eds(_)) {
            // That it is asked for is an attempt as well.
            cluster.stats.updates.attempt.inc();
        }
        cluster.stats.join(&cluster);
        cluster
    }

    /// Resolves its names from now on, if it has any.
    pub(crate) fn resolve(self: &Arc<Self>, resolver: &dns::Resolver) {
        if self.config.discovery.dns().is_none() {
            return;
        }
        self.resolving.get_or_init(|| {
            let (told, first) = watch::channel(false);
            let task = dns::run(resolver.clone(), Arc::clone(self), told);
            Resolving {
                task: self.control.spawn(task).abort_handle(),
                first,
            }
        });
    }

    /// Turns true when its names were looked up once; `None` if it has none.
    pub(crate) fn resolved(&self) -> Option<watch::Receiver<bool>> {
        self.resolving
            .get()
            .map(|resolving| resolving.first.clone())
    }

    /// Requests may choose it from now on.
    pub(crate) fn publish(&self) {
        self.phase.published.store(true, Relaxed);
    }

    /// No request chooses it any more: what runs for it ends, its connections when they are idle.
    pub(crate) fn retire(&self) {
        self.phase.retired.store(true, Relaxed);
        if let Some(resolving) = self.resolving.get() {
            resolving.task.abort();
        }
    }

    /// Whether it was replaced or taken away.
    pub(crate) fn is_retired(&self) -> bool {
        self.phase.retired.load(Relaxed)
    }

    /// Whether requests may choose it now.
    pub(crate) fn is_published(&self) -> bool {
        self.phase.published.load(Relaxed) && !self.is_retired()
    }

    /// Whether `config` needs no new cluster: it is equal, or differs only in the addresses of
    /// its endpoints.
    pub(crate) fn can_adopt(&self, config: &Arc<Cluster>) -> bool {
        let latest = self.latest.load();
        Arc::ptr_eq(&latest, config)
            || **latest == **config
            || (matches!(config.discovery, Discovery::Static | Discovery::Eds { .. })
                && same_but_endpoints(&latest, config))
    }

    /// Takes over a configuration that [`Self::can_adopt`] allows. That of an EDS cluster says
    /// nothing about its endpoints.
    pub(crate) fn adopt(&self, config: &Arc<Cluster>) {
        let before = self.latest.swap(Arc::clone(config));
        let assignment = &config.load_assignment;
        if config.discovery == Discovery::Static && before.load_assignment != *assignment {
            self.set_hosts(assignment, &addresses(assignment));
        }
    }

    /// Sets what a control plane says of its endpoints; whether it is one that asks.
    pub(crate) fn set_discovered(&self, assignment: &LoadAssignment) -> bool {
        let asks = matches!(self.config.discovery, Discovery::Eds { .. });
        if asks {
            let updates = &self.stats.updates;
            updates.attempt.inc();
            updates.success.inc();
            if !self.set_hosts(assignment, &addresses(assignment)) {
                updates.no_rebuild.inc();
            }
        }
        asks
    }

    /// Counts what was heard of its endpoints beside those that are set.
    pub(crate) fn heard(&self, heard: Heard) {
        let updates = &self.stats.updates;
        if let Heard::Version(version) | Heard::Unchanged(version) = &heard {
            updates.accepted.set(version, SystemTime::now());
        }
        if let Heard::Version(_) = heard {
            return;
        }
        updates.attempt.inc();
        match heard {
            Heard::Version(_) => {}
            Heard::Unchanged(_) => {
                updates.success.inc();
                updates.no_rebuild.inc();
            }
            Heard::Nothing => {
                updates.success.inc();
                updates.empty.inc();
            }
            Heard::Refused => updates.rejected.inc(),
            Heard::Late => updates.init_fetch_timeout.inc(),
        }
    }

    /// Takes over from the cluster that it replaces what is still right: while the control plane
    /// has not spoken of its endpoints, those that it named for the same assignment; while its
    /// names are not resolved, the addresses that they had.
    pub(crate) fn take_over(&self, replaced: &Self) {
        let (now, before) = (&self.config, &replaced.config);
        let same = match (&now.discovery, &before.discovery) {
            (Discovery::Eds(now), Discovery::Eds(before)) => now.key == before.key,
            (Discovery::StrictDns(_), Discovery::StrictDns(_))
            | (Discovery::LogicalDns(_), Discovery::LogicalDns(_)) => {
                now.load_assignment == before.load_assignment
            }
            _ => false,
        };
        if same {
            self.begin_with(replaced);
        }
    }

    /// The limits of a priority.
    pub(crate) fn breaker(&self, high_priority: bool) -> &Arc<Breaker> {
        if high_priority {
            &self.high_priority
        } else {
            &self.default_priority
        }
    }

    /// The hosts now.
    pub(crate) fn hosts(&self) -> arc_swap::Guard<Arc<HostSet>> {
        self.hosts.load()
    }

    /// Hosts: all, healthy, degraded, ejected.
    pub(crate) fn membership(&self) -> [usize; 4] {
        let on_demand = self.hosts_on_demand().len();
        let [all, healthy, degraded, ejected] = self.hosts().counts();
        [all + on_demand, healthy + on_demand, degraded, ejected]
    }
}

fn same_but_endpoints(a: &Cluster, b: &Cluster) -> bool {
    let without = |cluster: &Cluster| Cluster {
        load_assignment: LoadAssignment::default(),
        ..cluster.clone()
    };
    without(a) == without(b)
}
