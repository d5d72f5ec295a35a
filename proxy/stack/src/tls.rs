//! The handshake between choosing a connection's filter chain and serving it.

use std::sync::Arc;
use std::time::Duration;

use tandem_core::ext::ConnectionInfo;
use tandem_core::stats::Counter;
use tandem_model::listener::FilterChain;
use tandem_transport::io::Io;
use tandem_transport::tls::{Ahead, Error, FailureKind, ServerContext, Stats};
use tokio::net::TcpStream;

use crate::Deps;
use crate::server::{Draining, Level};

/// How the connections of one filter chain begin.
#[derive(Debug)]
pub(crate) struct Handshake {
    context: Arc<ServerContext>,
    timeout: Option<Duration>,
    stats: Stats,
    timed_out: Counter,
}

impl Handshake {
    /// The chain's handshake; `None` if its connections are plain. `prefix` is that of the
    /// listener's metrics.
    pub(crate) fn new(
        chain: &FilterChain,
        prefix: &str,
        deps: &Deps,
    ) -> Result<Option<Self>, Error> {
        let Some(config) = &chain.transport_socket else {
            return Ok(None);
        };
        let scope = deps.stats.listener(prefix);
        Ok(Some(Self {
            context: deps.clusters.tls().server(config)?,
            timeout: chain.transport_socket_connect_timeout,
            stats: Stats::new(&scope),
            timed_out: scope.counter("downstream_cx_transport_socket_connect_timeout"),
        }))
    }

    /// Shakes hands, and notes in `info` what that showed; `None`: there is no connection.
    pub(crate) async fn shake(
        &self,
        socket: TcpStream,
        info: &mut ConnectionInfo,
        draining: &Arc<Draining>,
    ) -> Option<Io> {
        let timeout = async {
            match self.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let mut drained = std::pin::pin!(draining.reached(Level::Soon));
        let drained = std::future::poll_fn(|cx| drained.as_mut().poll(cx));
        let result = tokio::select! {
            biased;
            result = self.context.accept(Ahead::new(socket)) => result,
            () = timeout => {
                self.timed_out.inc();
                return None;
            }
            // Who has not asked for anything yet is sent elsewhere.
            () = drained => return None,
        };
        match result {
            Ok(accepted) => {
                self.stats.succeeded(&accepted.facts, accepted.resumed);
                info.tls = Some(Arc::new(accepted.facts));
                Some(Io::Server(Box::new(accepted.stream)))
            }
            Err(failure) => {
                self.stats.failed(&failure);
                if failure.kind != FailureKind::Closed {
                    tracing::debug!(reason = %failure.reason, remote = ?info.remote, "handshake failed");
                    let _ = info.transport_failure.set(failure.reason);
                }
                None
            }
        }
    }
}
