//! Raw connections to a cluster's endpoints, for the TCP proxy.

use std::sync::Arc;

use tandem_core::Error;
use tandem_core::error::Kind;
use tandem_core::ext::{ConnectionInfo, UpstreamFacts};
use tandem_transport::io::Io;
use tandem_transport::tls::Offer;

use crate::Clusters;
use crate::active::Active;
use crate::pool::{Live, Pending};
use crate::worker::Asker;

/// A connection to an endpoint; counted as open until dropped.
#[derive(Debug)]
pub struct TcpUpstream {
    /// The connection.
    pub stream: Io,
    /// Where it leads.
    pub facts: Arc<UpstreamFacts>,
    _active: TcpGuard,
}

#[derive(Debug)]
struct TcpGuard {
    _live: Live,
    active: Active,
}

impl Drop for TcpGuard {
    fn drop(&mut self) {
        self.active.complete();
    }
}

impl Clusters {
    /// Connects to the endpoint that is next, or, in an ORIGINAL_DST cluster, to where
    /// `connection` was going.
    ///
    /// # Errors
    /// The cluster is unknown, has no usable host, its breakers are full, or the connection
    /// could not be made.
    pub async fn connect_tcp(
        &self,
        cluster: &str,
        connection: &ConnectionInfo,
    ) -> Result<TcpUpstream, Error> {
        let cluster = self.find(cluster).ok_or_else(|| {
            Error::new(Kind::ClusterNotFound(http::StatusCode::SERVICE_UNAVAILABLE))
        })?;
        let pool = cluster.choose(Asker {
            connection,
            headers: None,
        })?;
        let stats = &pool.cluster.stats;
        let breaker = pool.cluster.breaker(false);
        let Some(permit) = breaker.take(|b| &b.connections) else {
            stats.upstream_cx_overflow.inc();
            return Err(Error::new(Kind::Overflow));
        };
        let live = Live::new(&pool, permit);
        let target = pool.target();
        let wire = {
            let _pending = Pending::begin(&pool, breaker)?;
            pool.connect(&target, Offer::Nothing)
                .await
                .inspect_err(|_| stats.upstream_rq_pending_failure_eject.inc())?
        };
        let active = Active::begin(&pool, false)?;
        let facts = UpstreamFacts {
            host: Arc::clone(target.text()),
            cluster: Arc::clone(&pool.cluster.config.name),
            local: wire.io.local_addr(),
            protocol: None,
            tls: wire.tls,
        };
        Ok(TcpUpstream {
            stream: wire.io,
            facts: Arc::new(facts),
            _active: TcpGuard {
                _live: live,
                active,
            },
        })
    }
}
