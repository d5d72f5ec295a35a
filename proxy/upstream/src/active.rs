//! A request under way at a host, counted for as long as it is.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tandem_core::Error;
use tandem_core::error::Kind;

use crate::breaker::Permit;
use crate::pool::HostPool;

/// Counts one request in the breaker, the cluster and the host; uncounts it when dropped.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) pool: Arc<HostPool>,
    started: Instant,
    completed: bool,
    /// Whether ending it resets a stream; over HTTP/1 the connection ends, and is counted.
    is_stream: bool,
    _permit: Permit,
}

impl Active {
    /// Counts a request that is about to be handed to a connection.
    pub(crate) fn begin(pool: &Arc<HostPool>, high_priority: bool) -> Result<Self, Error> {
        let stats = &pool.cluster.stats;
        let Some(permit) = pool.cluster.breaker(high_priority).take(|b| &b.requests) else {
            stats.upstream_rq_active_overflow.inc();
            return Err(Error::new(Kind::Overflow));
        };
        stats.upstream_rq_total.inc();
        stats.upstream_rq_active.add(1);
        pool.host.state.active_requests.fetch_add(1, Relaxed);
        pool.host.state.total_requests.fetch_add(1, Relaxed);
        Ok(Self {
            pool: Arc::clone(pool),
            started: Instant::now(),
            completed: false,
            is_stream: false,
            _permit: permit,
        })
    }

    /// It is a stream of a connection that others share.
    #[must_use]
    pub(crate) fn stream(mut self) -> Self {
        self.is_stream = true;
        self
    }

    /// The whole response is here.
    pub(crate) fn complete(&mut self) {
        if !std::mem::replace(&mut self.completed, true) {
            let took = self.started.elapsed();
            self.pool.cluster.stats.upstream_rq_time.record(took);
        }
    }

    /// The upstream broke the stream.
    pub(crate) fn broken(&mut self) {
        if !std::mem::replace(&mut self.completed, true) && self.is_stream {
            self.pool.cluster.stats.upstream_rq_rx_reset.inc();
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let stats = &self.pool.cluster.stats;
        if !self.completed && self.is_stream {
            stats.upstream_rq_tx_reset.inc();
        }
        stats.upstream_rq_active.add(-1);
        self.pool.host.state.active_requests.fetch_sub(1, Relaxed);
    }
}
