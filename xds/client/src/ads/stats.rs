//! What the driver counts.

use std::time::SystemTime;

/// One type's counters, named as Envoy's. Those of a type that nobody asked for stay at zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests of the subscription, and everything counted below.
    pub update_attempt: u64,
    /// Updates that the consumer accepted, and heartbeats.
    pub update_success: u64,
    /// Updates that the consumer rejected or that could not be read.
    pub update_rejected: u64,
    /// Streams that ended, or could not be opened, after the type was first asked for.
    pub update_failure: u64,
    /// How often the consumer was told [`super::Event::FetchTimeout`].
    pub init_fetch_timeout: u64,
    /// The version of the response accepted last (Envoy's `version_text`). Empty before the
    /// first, and where the control plane gives none, as it may in delta.
    pub version: String,
    /// When that was (Envoy's `update_time`).
    pub updated: Option<SystemTime>,
}

/// The state of the stream that all types share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Whether the control plane has answered the stream (Envoy's `connected_state`). Many do so
    /// only with their first response.
    pub connected: bool,
    /// Which of the control planes given the newest stream goes to, from zero.
    pub server: usize,
    /// What the control plane calls itself (Envoy's `control_plane.identifier`), if it does.
    pub identifier: Option<String>,
    /// Why the last stream ended. It stays when the next one is connected.
    pub failure: Option<String>,
    /// Responses for types that have no consumer. They are not answered, as in Envoy.
    pub ignored: u64,
}
