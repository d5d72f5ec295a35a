//! Closing what is idle for too long, and noticing what the peer closed meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::{HostPool, http1, http2};

/// How often idle connections are looked at, at most.
const INTERVAL: Duration = Duration::from_secs(1);

impl HostPool {
    /// Looks after idle connections from now on, until the pool is gone. A request does not
    /// rely on it: a closed connection is noticed before it is used.
    pub(crate) fn keep_swept(self: &Arc<Self>) {
        self.sweeping.get_or_init(|| {
            let pool = Arc::downgrade(self);
            let limit = self.cluster.config.http.idle_timeout;
            let every = limit.map_or(INTERVAL, |limit| {
                (limit / 2).clamp(Duration::from_millis(10), INTERVAL)
            });
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    let Some(pool) = pool.upgrade() else { return };
                    if pool.is_over() {
                        http1::close_idle(&pool);
                        http2::close_idle(&pool);
                    }
                    http1::sweep(&pool);
                    http2::sweep(&pool);
                }
            });
        });
    }
}
