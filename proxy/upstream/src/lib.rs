//! From "cluster chosen" to "endpoint answered": endpoints and their health, balancing,
//! connection pools, circuit breakers, outlier detection, timeouts and retries.
//!
//! The way of a request, file by file: [`forward()`] → `timeout` → `retry` → `attempt` →
//! `worker` (this worker's view of the cluster) → `balance` → `pool` → the wire.
//!
//! What the whole process must agree on (breaker counts, outlier state, counters) lives in
//! [`ClusterManager`] as atomics; connections, pools and cursors belong to one worker's
//! [`Clusters`]. Nothing here chooses routes or edits headers, except those that say how long
//! a try may take and how often it was made.

mod active;
mod admin;
mod attempt;
mod balance;
mod body;
mod breaker;
mod cluster;
mod convert;
mod dns;
mod forward;
mod host;
mod manager;
mod outlier;
mod policy;
mod pool;
mod random;
mod retry;
mod stats;
mod switched;
mod tcp;
mod timeout;
mod transport;
mod tunnel;
mod upload;
mod view;
mod worker;

pub use admin::{ClusterStatus, HostStatus};
pub use cluster::Heard;
pub use forward::forward;
pub use manager::{Batch, ClusterManager, Warming};
pub use policy::RoutePolicy;
pub use tcp::TcpUpstream;
pub use view::{ClusterView, EndpointView};
pub use worker::Clusters;
