//! Fault injection (`extensions.filters.http.fault.v3.HTTPFault`).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::headers::HeaderMatcher;
use crate::runtime::{RuntimeFraction, RuntimeKey};

/// Settings of the fault filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Hold requests back.
    pub delay: Option<Delay>,
    /// Answer instead of the upstream.
    pub abort: Option<Abort>,
    /// Only requests to this cluster; empty: all.
    pub upstream_cluster: Arc<str>,
    /// Only requests that match all of these.
    pub headers: Vec<HeaderMatcher>,
    /// Only requests from these nodes (`x-envoy-downstream-service-node`); empty: all.
    pub downstream_nodes: Vec<Arc<str>>,
    /// Most faults under way at once; `None`: no limit.
    pub max_active_faults: Option<u32>,
    /// May set `max_active_faults`.
    pub max_active_faults_key: RuntimeKey,
}

/// A delay fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delay {
    /// How long: fixed, or as `x-envoy-fault-delay-request` says in milliseconds.
    pub duration: FaultDuration,
    /// May set a fixed length, in milliseconds.
    pub duration_key: RuntimeKey,
    /// Which share of requests.
    pub percentage: RuntimeFraction,
}

/// Where a delay's length comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FaultDuration {
    /// Always this long.
    Fixed(Duration),
    /// From the request's header.
    Header,
}

/// An abort fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Abort {
    /// With what.
    pub status: AbortStatus,
    /// May set the HTTP or gRPC status.
    pub status_key: RuntimeKey,
    /// Which share of requests.
    pub percentage: RuntimeFraction,
}

/// What an abort answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AbortStatus {
    /// An HTTP status.
    Http(StatusCode),
    /// A gRPC status.
    Grpc(u32),
    /// From `x-envoy-fault-abort-request` or `x-envoy-fault-abort-grpc-request`.
    Header,
}
