//! Connections to one host, kept by one worker.

mod agreed;
mod apart;
pub(crate) mod http1;
pub(crate) mod http2;
mod line;
mod live;
mod pending;
mod sweep;
mod watched;

use agreed::Agreed;
pub(crate) use agreed::Place;
pub(crate) use apart::Apart;
pub(crate) use live::Live;
pub(crate) use pending::Pending;

use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tandem_core::Error;
use tandem_core::error::{ConnectFailure, Kind};
use tandem_core::ext::Source;
use tandem_model::cluster::Discovery;
use tandem_transport::io::Io;
use tandem_transport::metered::Metered;
use tandem_transport::tls::Offer;
use tokio::net::TcpStream;

use crate::cluster::SharedCluster;
use crate::host::Host;
use crate::outlier;
use crate::transport::{Transport, Wire};

/// The bytes of a connection, which its cluster counts.
pub(crate) type Stream = Metered<Io, Arc<SharedCluster>>;

/// A host's connections on one worker.
///
/// The mutexes are never contended, since all users share a thread; they are there because a
/// chain must be `Sync`. Taking one costs a compare-and-swap, and none is held across an await.
/// (A lock-free queue would be first in, first out: idle connections would never age.)
#[derive(Debug)]
pub(crate) struct HostPool {
    pub(crate) cluster: Arc<SharedCluster>,
    pub(crate) host: Arc<Host>,
    transport: Transport,
    /// What sets its connections apart from others of the host.
    apart: Apart,
    /// Pools of connections that others do not share.
    pools_apart: Mutex<apart::Pools>,
    agreed: Agreed,
    pub(crate) http1: Mutex<http1::Pool>,
    /// Who waits for a connection of HTTP/1.1.
    waiting_http1: http1::Waiting,
    pub(crate) http2: Mutex<http2::Pool>,
    /// Who waits for a place on a connection of HTTP/2.
    waiting_http2: http2::Waiting,
    sweeping: OnceLock<()>,
}

impl HostPool {
    pub(crate) fn new(cluster: &Arc<SharedCluster>, host: &Arc<Host>) -> Arc<Self> {
        let transport = cluster.transports.of(&cluster.config, host);
        Self::with(cluster, host, transport, Apart::default())
    }

    fn with(
        cluster: &Arc<SharedCluster>,
        host: &Arc<Host>,
        transport: Transport,
        apart: Apart,
    ) -> Arc<Self> {
        Arc::new(Self {
            cluster: Arc::clone(cluster),
            host: Arc::clone(host),
            transport,
            apart,
            pools_apart: Mutex::default(),
            agreed: Agreed::default(),
            http1: Mutex::default(),
            waiting_http1: http1::Waiting::default(),
            http2: Mutex::default(),
            waiting_http2: http2::Waiting::default(),
            sweeping: OnceLock::new(),
        })
    }

    /// Whether nobody will ask for it again: its host or its cluster is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.cluster.is_retired() || self.host.state.gone.load(Relaxed)
    }

    /// Whether it has an open connection, or opens one.
    pub(crate) fn is_connected(&self) -> bool {
        http1::is_connected(self) || self.is_connected_apart()
    }

    /// Where its connections go now. A logical host is wherever its name leads at the time.
    pub(crate) fn target(&self) -> Arc<Host> {
        if let Discovery::LogicalDns(_) = self.cluster.config.discovery
            && let Some(host) = self.cluster.hosts().hosts.first()
        {
            return Arc::clone(host);
        }
        Arc::clone(&self.host)
    }

    /// Opens a connection to `target` and counts how that went; `offer` is what is to be spoken on it.
    pub(crate) async fn connect(&self, target: &Host, offer: Offer) -> Result<Wire<Stream>, Error> {
        self.connect_from(self.apart.source.as_ref(), target, offer)
            .await
    }

    /// The same from a client's address, for a connection that no pool gets.
    pub(crate) async fn connect_from(
        &self,
        source: Option<&Source>,
        target: &Host,
        offer: Offer,
    ) -> Result<Wire<Stream>, Error> {
        let (stats, config) = (&self.cluster.stats, &self.cluster.config);
        let began = Instant::now();
        let socket = tandem_transport::connect::connect(
            &target.address,
            config.connect_timeout,
            config.tcp_keepalive.as_ref(),
            config.bind.as_deref(),
            source,
        );
        let result = if self.transport.is_secure() {
            // Boxed: its state is large.
            Box::pin(self.secure(target, socket, offer)).await
        } else {
            socket.await.map(|socket| Wire {
                io: Io::Plain(socket),
                tls: None,
            })
        };
        match &result {
            Ok(_) => {
                stats.upstream_cx_connect_ms.record(began.elapsed());
                outlier::connected(&self.cluster, &self.host);
            }
            Err(error) => {
                stats.upstream_cx_connect_fail.inc();
                match error.kind() {
                    Kind::ConnectFailure(ConnectFailure::Timeout) => {
                        stats.upstream_cx_connect_timeout.inc();
                    }
                    Kind::ConnectFailure(ConnectFailure::Bind) => stats.bind_errors.inc(),
                    _ => {}
                }
                self.host.state.connect_failures.fetch_add(1, Relaxed);
                outlier::local_failure(&self.cluster, &self.host);
            }
        }
        result.map(|wire| Wire {
            io: Metered::new(wire.io, Arc::clone(&self.cluster)),
            tls: wire.tls,
        })
    }

    /// The handshake is a part of connecting: one limit for both.
    async fn secure(
        &self,
        host: &Host,
        socket: impl Future<Output = Result<TcpStream, Error>>,
        offer: Offer,
    ) -> Result<Wire<Io>, Error> {
        let name = self.apart.name.as_ref();
        let connecting = async { self.transport.wrap(socket.await?, host, name, offer).await };
        let limit = self.cluster.config.connect_timeout;
        match tokio::time::timeout(limit, connecting).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(Kind::ConnectFailure(ConnectFailure::Timeout))),
        }
    }
}
