//! Endpoints as they live in a process: address, counters, health.

mod set;

pub(crate) use set::{HostSet, Tier};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use tandem_model::bootstrap::Locality;
use tandem_model::cluster::EndpointHealth;

/// One endpoint. Its counters are process-wide; its pools belong to workers.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    /// As logs and `/clusters` print it.
    pub(crate) text: Arc<str>,
    pub(crate) hostname: Arc<str>,
    pub(crate) weight: u32,
    pub(crate) priority: u32,
    pub(crate) locality: Locality,
    pub(crate) health: EndpointHealth,
    /// Kept over a change of anything that is not the address.
    pub(crate) state: Arc<HostState>,
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
    /// Consecutive failures, by kind.
    pub(crate) consecutive_5xx: AtomicU32,
    pub(crate) consecutive_gateway: AtomicU32,
    pub(crate) consecutive_local: AtomicU32,
    pub(crate) ejected: AtomicBool,
    /// How often it was ejected of late; multiplies the ejection time.
    pub(crate) ejections: AtomicU32,
    /// When the latest ejection began; only the ejecting and the sweeping touch it.
    pub(crate) ejected_at: std::sync::Mutex<Option<Instant>>,
}

impl Host {
    /// Whether the control plane and outlier detection both allow it.
    pub(crate) fn is_healthy(&self) -> bool {
        self.health == EndpointHealth::Healthy && !self.state.ejected.load(Relaxed)
    }

    /// Whether both are one host with the same settings.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
            && self.hostname == other.hostname
            && self.weight == other.weight
            && self.priority == other.priority
            && self.locality == other.locality
            && self.health == other.health
    }

    /// Whether it serves only when healthy hosts do not suffice.
    pub(crate) fn is_degraded(&self) -> bool {
        self.health == EndpointHealth::Degraded && !self.state.ejected.load(Relaxed)
    }
}
