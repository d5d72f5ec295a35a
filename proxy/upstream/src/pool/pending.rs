//! A request that waits for a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tandem_core::Error;
use tandem_core::error::Kind;

use super::HostPool;
use crate::breaker::{Breaker, Permit};

/// Counts one waiting request for as long as it waits.
#[derive(Debug)]
pub(crate) struct Pending {
    pool: Arc<HostPool>,
    _permit: Permit,
    over: bool,
}

impl Pending {
    /// Refuses if too many wait already.
    pub(crate) fn begin(pool: &Arc<HostPool>, breaker: &Arc<Breaker>) -> Result<Self, Error> {
        let stats = &pool.cluster.stats;
        let Some(permit) = breaker.take(|b| &b.pending) else {
            stats.upstream_rq_pending_overflow.inc();
            return Err(Error::new(Kind::Overflow));
        };
        stats.upstream_rq_pending_total.inc();
        stats.upstream_rq_pending_active.add(1);
        pool.host.state.pending_requests.fetch_add(1, Relaxed);
        Ok(Self {
            pool: Arc::clone(pool),
            _permit: permit,
            over: false,
        })
    }

    /// It is known what became of waiting. Dropped without that, the request was cancelled.
    pub(crate) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.pool.cluster.stats.upstream_rq_pending_active.add(-1);
        self.pool.host.state.pending_requests.fetch_sub(1, Relaxed);
        if !self.over {
            self.pool.cluster.stats.upstream_rq_cancelled.inc();
        }
    }
}
