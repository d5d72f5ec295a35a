//! Pools of one host for each name that requests ask it for: a connection made for one name is
//! not used for another, since the certificate was judged by it.

use std::sync::{Arc, MutexGuard, PoisonError};

use ahash::HashMap;

use super::HostPool;
use crate::transport::ServerName;

/// Clients choose names, so those that are used no more are forgotten beyond this many.
const MANY: usize = 64;

/// Pools by name.
pub(super) type Named = HashMap<ServerName, Arc<HostPool>>;

impl HostPool {
    /// Whether its connections are encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.transport.is_secure()
    }

    /// The pool of the same host for this name.
    pub(crate) fn for_name(self: &Arc<Self>, name: ServerName) -> Arc<Self> {
        let mut named = self.named();
        if let Some(pool) = named.get(&name) {
            return Arc::clone(pool);
        }
        if named.len() >= MANY {
            named.retain(|_, pool| Arc::strong_count(pool) > 1 || pool.is_connected());
        }
        let transport = self.transport.clone();
        let pool = Self::with(&self.cluster, &self.host, transport, Some(name.clone()));
        named.insert(name, Arc::clone(&pool));
        pool
    }

    pub(super) fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
