//! Endpoints as they live in a process: address, counters, health.

mod localities;
mod set;
mod shares;

pub(crate) use set::{HostSet, Level, Rules, Tier};

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tandem_model::Address;
use tandem_model::bootstrap::Locality;
use tandem_model::cluster::{Endpoint, EndpointHealth, Labels};

use crate::outlier::Looked;

/// One endpoint. Its counters are process-wide; its pools belong to workers.
#[derive(Debug)]
pub(crate) struct Host {
    /// Where it is: never a name.
    pub(crate) address: Address,
    text: OnceLock<Arc<str>>,
    pub(crate) hostname: Arc<str>,
    pub(crate) weight: u32,
    pub(crate) health: EndpointHealth,
    pub(crate) group: Arc<Group>,
    /// What it and its locality say of what should carry its connections.
    pub(crate) labels: Arc<Labels>,
    /// Kept over a change of anything that is not the address.
    pub(crate) state: Arc<HostState>,
}

/// What hosts of one locality and priority share.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) locality: Locality,
    pub(crate) priority: u32,
    /// The locality's weight.
    pub(crate) weight: Option<u32>,
}

/// What a host has done and how it is.
#[derive(Debug, Default)]
pub(crate) struct HostState {
    pub(crate) active_requests: AtomicU32,
    pub(crate) pending_requests: AtomicU32,
    pub(crate) active_connections: AtomicU32,
    pub(crate) total_connections: AtomicU64,
    pub(crate) connect_failures: AtomicU64,
    pub(crate) total_requests: AtomicU64,
    pub(crate) successes: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    /// Raw connections that count as answers to outlier detection.
    pub(crate) raw_successes: AtomicU64,
    /// Of the errors those that were not answers, where outlier detection tells them apart.
    pub(crate) local_errors: AtomicU64,
    /// Consecutive failures, by kind.
    pub(crate) consecutive_5xx: AtomicU32,
    pub(crate) consecutive_gateway: AtomicU32,
    pub(crate) consecutive_local: AtomicU32,
    pub(crate) ejected: AtomicBool,
    /// Whether it was taken out of its cluster: its connections close when they are idle.
    pub(crate) gone: AtomicBool,
    /// How often its connections were given up: those opened before serve no other request.
    pub(crate) drains: AtomicU32,
    /// How often it was ejected of late; multiplies the ejection time.
    pub(crate) ejections: AtomicU32,
    /// When the latest ejection began; only the ejecting and the sweeping touch it.
    pub(crate) ejected_at: Mutex<Option<Instant>>,
    /// What the sweep saw last; nothing in a cluster that nobody used.
    pub(crate) looked: Mutex<Option<Box<Looked>>>,
}

impl Host {
    /// A host as configured, in `group`.
    pub(crate) fn new(
        address: Address,
        endpoint: &Endpoint,
        group: &Arc<Group>,
        state: Arc<HostState>,
    ) -> Self {
        Self {
            address,
            text: OnceLock::new(),
            hostname: Arc::clone(&endpoint.hostname),
            weight: endpoint.weight.max(1),
            health: endpoint.health,
            group: Arc::clone(group),
            labels: Arc::clone(&endpoint.labels),
            state,
        }
    }

    /// The same host of another cluster: nothing has happened to it there yet.
    pub(crate) fn anew(&self) -> Self {
        Self {
            address: self.address.clone(),
            text: self.text.clone(),
            hostname: Arc::clone(&self.hostname),
            weight: self.weight,
            health: self.health,
            group: Arc::clone(&self.group),
            labels: Arc::clone(&self.labels),
            state: Arc::default(),
        }
    }

    /// Its address, as logs and `/clusters` print it.
    pub(crate) fn text(&self) -> &Arc<str> {
        self.text.get_or_init(|| self.address.to_string().into())
    }

    /// Whether the control plane and outlier detection both allow it.
    pub(crate) fn is_healthy(&self) -> bool {
        self.health == EndpointHealth::Healthy && !self.is_ejected()
    }

    /// Whether both are one host with the same settings.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.keeps_pools_of(other)
            && self.weight == other.weight
            && self.health == other.health
            && self.group == other.group
    }

    /// Whether connections to one are as good for the other.
    pub(crate) fn keeps_pools_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
            && self.hostname == other.hostname
            && self.labels == other.labels
    }

    /// Whether it serves only when healthy hosts do not suffice.
    pub(crate) fn is_degraded(&self) -> bool {
        self.health == EndpointHealth::Degraded && !self.is_ejected()
    }

    /// Whether outlier detection keeps requests from it.
    pub(crate) fn is_ejected(&self) -> bool {
        self.state.ejected.load(Relaxed)
    }
}
