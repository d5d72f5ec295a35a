//! Where configuration comes from that is not in the bootstrap (`config.core.v3.ConfigSource`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// One source of resources, and how long a first answer is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfigSource {
    /// Who is asked.
    pub origin: Origin,
    /// How long what needs a resource waits for it before it goes on without; default 15 s,
    /// `None`: for ever.
    pub initial_fetch_timeout: Option<Duration>,
}

/// Who is asked for resources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The bootstrap's aggregated stream (`ads`).
    Ads,
    /// A stream, or polls, of the type's own (`api_config_source`).
    Api(Arc<ApiConfigSource>),
    /// A file, read again when it is moved into place (`path_config_source`).
    Path(Arc<PathConfigSource>),
}

/// A control plane and how it is spoken to (`config.core.v3.ApiConfigSource`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiConfigSource {
    /// The variant of the protocol.
    pub api: ApiType,
    /// The control plane, and those that take its place when it cannot be reached.
    pub services: Vec<ControlPlane>,
    /// REST: time between polls.
    pub refresh_delay: Duration,
    /// REST: longest poll; default 1 s.
    pub request_timeout: Duration,
}

/// `ApiConfigSource.api_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiType {
    /// State of the world over gRPC.
    Grpc,
    /// Changes only, over gRPC.
    DeltaGrpc,
    /// Polls over HTTP, in JSON.
    Rest,
}

/// One control plane, reached through a cluster (`config.core.v3.GrpcService.envoy_grpc`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ControlPlane {
    /// The cluster.
    pub cluster: Arc<str>,
    /// The authority of the calls; the cluster's name if it says none.
    pub authority: Arc<str>,
    /// Headers of every call.
    pub initial_metadata: Vec<(HeaderName, HeaderValue)>,
}

/// A file of resources (`config.core.v3.PathConfigSource`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathConfigSource {
    /// The file.
    pub path: PathBuf,
    /// Look at this directory for moves instead of the file's own.
    pub watched_directory: Option<PathBuf>,
}

/// A resource that something needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscribed {
    /// Which one.
    pub key: ResourceKey,
    /// How long its first arrival is waited for; `None`: for ever.
    pub initial_fetch_timeout: Option<Duration>,
}

/// The name of a resource and who is asked for it: what makes it one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceKey {
    /// Who is asked.
    pub origin: Origin,
    /// Its name.
    pub name: Arc<str>,
}
