//! Everything one process is told at start (`config.bootstrap.v3.Bootstrap`).

use std::sync::Arc;

use crate::config_source::{ApiConfigSource, ConfigSource};
use crate::log_pattern::LogFormat;
use crate::metrics::MetricsConfig;
use crate::runtime::Layers;
use crate::tls::Secret;
use crate::{Address, Cluster, Listener};

/// The resolved bootstrap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// Who this proxy is.
    pub node: Node,
    /// The administration server, if there is to be one.
    pub admin: Option<Admin>,
    /// Which metrics there are, and their labels.
    pub metrics: MetricsConfig,
    /// What the process's own log lines look like (`application_log_config.log_format`).
    pub log_format: Option<LogFormat>,
    /// The runtime layers.
    pub runtime: Layers,
    /// Static listeners, in file order.
    pub listeners: Vec<Arc<Listener>>,
    /// Static clusters, in file order.
    pub clusters: Vec<Arc<Cluster>>,
    /// Static secrets, in file order.
    pub secrets: Vec<Arc<Secret>>,
    /// What control planes are asked for.
    pub dynamic: Dynamic,
    /// Whether anything at all comes from elsewhere, by files or over the network: then the node
    /// needs an id and a cluster.
    pub subscribes: bool,
}

/// What comes from control planes (`Bootstrap.DynamicResources`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dynamic {
    /// The aggregated stream.
    pub ads: Option<Arc<ApiConfigSource>>,
    /// Where all further clusters come from.
    pub clusters: Option<ConfigSource>,
    /// Where all further listeners come from.
    pub listeners: Option<ConfigSource>,
}

/// The proxy's identity (`config.core.v3.Node`), as far as it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Opaque id.
    pub id: Arc<str>,
    /// The service cluster the proxy belongs to.
    pub cluster: Arc<str>,
    /// Region, zone and sub-zone.
    pub locality: Locality,
}

/// Where something runs (`config.core.v3.Locality`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locality {
    /// Region.
    pub region: Arc<str>,
    /// Zone within the region.
    pub zone: Arc<str>,
    /// Sub-zone within the zone.
    pub sub_zone: Arc<str>,
}

/// The administration server (`config.bootstrap.v3.Admin`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Admin {
    /// Where it listens.
    pub address: Address,
}
