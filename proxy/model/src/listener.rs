//! Listeners and the filter chains they hand connections to (`config.listener.v3`).

mod filter_chain;
mod listener_filter;

pub use filter_chain::{
    ConnectionFilter, FilterChain, FilterChainMatch, NetworkFilter, ServerName, SourceType,
};
pub use listener_filter::{
    ListenerFilter, ListenerFilterKind, OriginalSrc, PortPredicate, TlsInspector,
};

use std::sync::Arc;
use std::time::Duration;

use crate::Address;
use crate::access_log::AccessLog;

/// One listener (`config.listener.v3.Listener`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Unique name; an unnamed listener is named after its address.
    pub name: Arc<str>,
    /// The prefix of its metrics: `stat_prefix`, else the address with `_` for `:`.
    pub stat_prefix: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// Where it listens as well (`additional_addresses`).
    pub additional_addresses: Vec<Address>,
    /// Which of the two doors it is.
    pub traffic_direction: TrafficDirection,
    /// Whether it has sockets of its own; without, it only gets what another listener hands
    /// over by the original destination. Default true.
    pub bind_to_port: bool,
    /// Hand a redirected connection to the listener of its original destination.
    pub use_original_dst: bool,
    /// Take connections to any address (`IP_TRANSPARENT`, for TPROXY).
    pub transparent: bool,
    /// Bind to an address that the system does not have yet (`IP_FREEBIND`).
    pub freebind: bool,
    /// What looks at a connection before its chain is chosen, in order.
    pub listener_filters: Vec<ListenerFilter>,
    /// How long they may take; default 15 s, `None`: for ever.
    pub listener_filters_timeout: Option<Duration>,
    /// After that time go on with what is known, instead of closing.
    pub continue_on_listener_filters_timeout: bool,
    /// The chains; which of them a connection takes [`FilterChains`] knows. No two have the
    /// same matching rules.
    ///
    /// [`FilterChains`]: crate::matching::FilterChains
    pub filter_chains: Vec<Arc<FilterChain>>,
    /// The chain of connections that match none; `None`: they are closed.
    pub default_filter_chain: Option<Arc<FilterChain>>,
    /// Soft limit of buffered bytes per connection, in bytes; default 1 MiB.
    pub per_connection_buffer_limit_bytes: u32,
    /// `listen(2)` backlog.
    pub tcp_backlog_size: u32,
    /// Share the port among workers by `SO_REUSEPORT`; default true.
    pub enable_reuse_port: bool,
    /// Logs of connections that no filter chain logs.
    pub access_logs: Vec<Arc<AccessLog>>,
}

impl Listener {
    /// All its chains, the default one last.
    pub fn chains(&self) -> impl Iterator<Item = &Arc<FilterChain>> {
        self.filter_chains.iter().chain(&self.default_filter_chain)
    }

    /// All its addresses, the main one first.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.address).chain(&self.additional_addresses)
    }
}

/// On which side of the application a listener stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrafficDirection {
    /// Not said.
    #[default]
    Unspecified,
    /// Towards the application.
    Inbound,
    /// From the application.
    Outbound,
}
