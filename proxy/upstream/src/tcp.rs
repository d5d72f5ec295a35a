//! Raw connections to a cluster's endpoints, for the TCP proxy.

use std::sync::Arc;

use tandem_core::Error;
use tandem_core::error::Kind;
use tandem_core::ext::{StreamInfo, UpstreamFacts};
use tandem_transport::tls::Offer;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Clusters;
use crate::active::Active;
use crate::outlier;
use crate::pool::{Live, Pending, Stream};
use crate::worker::Asker;

/// A connection to an endpoint; counted as open until dropped.
#[derive(Debug)]
pub struct TcpUpstream {
    stream: Stream,
    _active: TcpGuard,
}

impl TcpUpstream {
    /// The connection.
    pub fn stream(&mut self) -> &mut (impl AsyncRead + AsyncWrite + Unpin + use<>) {
        &mut self.stream
    }

    /// Makes the end of the connection a reset.
    pub fn abort_on_drop(&self) {
        self.stream.get_ref().abort_on_drop();
    }
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
    /// Connects to the endpoint that is next, or, in an ORIGINAL_DST cluster, to where the
    /// client's connection was going; `info` is told which it was, even if it cannot be reached.
    ///
    /// # Errors
    /// The cluster is unknown, has no usable host, its breakers are full, or the connection
    /// could not be made.
    pub async fn connect_tcp(
        &self,
        cluster: &str,
        info: &StreamInfo,
    ) -> Result<TcpUpstream, Error> {
        let cluster = self.find(cluster).ok_or_else(|| {
            Error::new(Kind::ClusterNotFound(http::StatusCode::SERVICE_UNAVAILABLE))
        })?;
        let pool = cluster.choose(Asker {
            connection: &info.connection,
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
        let mut facts = UpstreamFacts {
            host: Arc::clone(target.text()),
            cluster: Arc::clone(&pool.cluster.config.name),
            hostname: Arc::clone(&pool.host.hostname),
            connection: 0,
            local: None,
            protocol: None,
            tls: None,
        };
        let pending = Pending::begin(&pool, breaker)?;
        let source = info.connection.source.as_ref();
        let connected = pool.connect_from(source, &target, Offer::Nothing).await;
        pending.over();
        let wire = match connected {
            Ok(wire) => wire,
            Err(error) => {
                stats.upstream_rq_pending_failure_eject.inc();
                info.upstream.store(Some(Arc::new(facts)));
                return Err(error);
            }
        };
        outlier::connected_for_good(&pool.cluster, &pool.host);
        facts.connection = UpstreamFacts::new_connection();
        facts.local = wire.io.get_ref().local_addr();
        facts.tls = wire.tls;
        info.upstream.store(Some(Arc::new(facts)));
        let active = Active::begin(&pool, false)?;
        Ok(TcpUpstream {
            stream: wire.io,
            _active: TcpGuard {
                _live: live,
                active,
            },
        })
    }
}
