//! Pools of one host that must not share connections: one for each name that requests ask it
//! for, since a certificate was judged by it, and for each client whose address is kept.

use std::sync::{Arc, MutexGuard, PoisonError};

use ahash::HashMap;
use tandem_core::ext::Source;

use super::HostPool;
use crate::transport::ServerName;

/// Clients choose names and have addresses, so those that are used no more are forgotten beyond
/// this many.
const MANY: usize = 64;

/// What keeps connections of a host apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Apart {
    /// The name that they ask for, where requests decide about that.
    pub(crate) name: Option<ServerName>,
    /// Where they come from, where the client decides about that.
    pub(crate) source: Option<Source>,
}

/// Pools by what keeps them apart.
#[derive(Debug)]
pub(super) struct Pools {
    by_key: HashMap<Apart, Arc<HostPool>>,
    /// How many there may be before the unused are looked for.
    most: usize,
}

impl Default for Pools {
    fn default() -> Self {
        Self {
            by_key: HashMap::default(),
            most: MANY,
        }
    }
}

impl HostPool {
    /// Whether its connections are encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.transport.is_secure()
    }

    /// The pool of the same host for these alone.
    pub(crate) fn apart(self: &Arc<Self>, key: Apart) -> Arc<Self> {
        let mut pools = self.pools_apart();
        if let Some(pool) = pools.by_key.get(&key) {
            return Arc::clone(pool);
        }
        if pools.by_key.len() >= pools.most {
            pools
                .by_key
                .retain(|_, pool| Arc::strong_count(pool) > 1 || pool.is_connected());
            // Twice what is used, so that looking costs little however many there are.
            pools.most = MANY.max(2 * pools.by_key.len());
        }
        let transport = self.transport.clone();
        let pool = Self::with(&self.cluster, &self.host, transport, key.clone());
        pools.by_key.insert(key, Arc::clone(&pool));
        pool
    }

    /// Whether one of those pools has an open connection, or opens one.
    pub(super) fn is_connected_apart(&self) -> bool {
        let pools = self.pools_apart();
        pools.by_key.values().any(|pool| pool.is_connected())
    }

    fn pools_apart(&self) -> MutexGuard<'_, Pools> {
        self.pools_apart
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
