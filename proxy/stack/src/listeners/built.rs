//! What a listener's configuration is made to on one worker.

use std::sync::Arc;

use tandem_core::directory::{Entry, Role};
use tandem_model::Listener;
use tandem_model::listener::FilterChain;
use tandem_model::matching::{ConnectionFacts, FilterChains, Overlap};

use super::Shared;
use super::chain::Chain;
use super::look::Filter;
use super::stats::Stats;
use crate::access_log::Logs;

/// One version of a listener: what new connections get.
#[derive(Debug)]
pub(crate) struct Built {
    pub(super) listener: Arc<Listener>,
    pub(super) stats: Arc<Stats>,
    /// What looks at connections first.
    pub(super) filters: Vec<Filter>,
    /// Lines for connections, whatever serves them.
    pub(super) logs: Option<Arc<Logs>>,
    index: Arc<FilterChains>,
    chains: Vec<Arc<Chain>>,
    default_chain: Option<Arc<Chain>>,
}

impl Built {
    /// Builds a listener, with the chains of `before` that did not change.
    pub(super) fn new(
        listener: Arc<Listener>,
        before: Option<&Self>,
        shared: &Shared,
    ) -> Result<Self, Overlap> {
        let index = Arc::new(FilterChains::new(&listener.filter_chains)?);
        let stats = match before {
            Some(before) if before.listener.stat_prefix == listener.stat_prefix => {
                Arc::clone(&before.stats)
            }
            _ => Arc::new(Stats::new(&shared.deps.stats, &listener.stat_prefix)),
        };
        let build = |config: &Arc<FilterChain>| {
            let same = before.and_then(|before| {
                let mut chains = before.chains();
                chains.find(|chain| chain.is_for(config, &listener))
            });
            same.cloned().unwrap_or_else(|| {
                let chain = Chain::new(config, &listener, &shared.deps, &shared.open, &stats);
                Arc::new(chain)
            })
        };
        let filter = |config| Filter::new(config, &shared.deps.stats);
        Ok(Self {
            chains: listener.filter_chains.iter().map(build).collect(),
            default_chain: listener.default_filter_chain.as_ref().map(build),
            filters: listener.listener_filters.iter().map(filter).collect(),
            logs: (!listener.access_logs.is_empty()).then(|| {
                Arc::new(Logs::new(
                    &listener.access_logs,
                    &shared.deps.logs,
                    &shared.deps.entries,
                ))
            }),
            listener,
            stats,
            index,
        })
    }

    /// The chain for a connection.
    pub(super) fn find(&self, facts: &ConnectionFacts<'_>) -> Option<&Arc<Chain>> {
        let found = self.index.find(facts).and_then(|at| self.chains.get(at));
        found.or(self.default_chain.as_ref())
    }

    /// All its chains.
    pub(super) fn chains(&self) -> impl Iterator<Item = &Arc<Chain>> {
        self.chains.iter().chain(&self.default_chain)
    }

    /// What calls that are made within the process may enter by.
    pub(super) fn entry(&self) -> Entry {
        let listener = &self.listener;
        Entry {
            listener: Arc::clone(&listener.name),
            direction: listener.traffic_direction,
            role: match (listener.use_original_dst, listener.bind_to_port) {
                (true, _) => Role::Capture,
                (false, true) => Role::Proxy,
                (false, false) => Role::Destination,
            },
            addresses: listener.addresses().filter_map(|a| a.socket()).collect(),
            index: Arc::clone(&self.index),
            doors: self
                .chains
                .iter()
                .map(|chain| chain.door().cloned())
                .collect(),
            default_door: self.default_chain.as_ref().and_then(|c| c.door().cloned()),
        }
    }

    /// Whether a connection needs no look before its chain is chosen.
    pub(super) fn is_plain(&self) -> bool {
        self.listener.listener_filters.is_empty() && !self.listener.use_original_dst
    }
}
