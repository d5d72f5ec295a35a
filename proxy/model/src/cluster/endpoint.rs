//! Endpoints and their groups.

use std::sync::Arc;

use super::Labels;
use crate::Address;
use crate::bootstrap::Locality;

/// The endpoints of a cluster (`config.endpoint.v3.ClusterLoadAssignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadAssignment {
    /// Groups in configuration order.
    pub localities: Vec<LocalityEndpoints>,
    /// Overprovisioning factor in percent; default 140.
    pub overprovisioning_factor: u32,
}

/// Endpoints of one locality and priority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalityEndpoints {
    /// Where they are.
    pub locality: Locality,
    /// 0 is the highest.
    pub priority: u32,
    /// Weight of the locality; `None`: not set.
    pub weight: Option<u32>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint (`config.endpoint.v3.LbEndpoint`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where it is.
    pub address: Address,
    /// Its host name, for `auto_host_rewrite`; may be empty.
    pub hostname: Arc<str>,
    /// Load-balancing weight; default 1.
    pub weight: u32,
    /// What the control plane says of its health.
    pub health: EndpointHealth,
    /// What it and its locality say of what should carry its connections.
    pub labels: Arc<Labels>,
}

impl Endpoint {
    /// A healthy endpoint of weight 1 without a name.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            hostname: Arc::default(),
            weight: 1,
            health: EndpointHealth::Healthy,
            labels: Arc::default(),
        }
    }
}

/// `health_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EndpointHealth {
    /// Usable.
    #[default]
    Healthy,
    /// Not usable.
    Unhealthy,
    /// Usable only when nothing healthy is left.
    Degraded,
    /// Not usable for new requests.
    Draining,
}
