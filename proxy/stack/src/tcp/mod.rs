//! The TCP proxy: a connection to a cluster for each that was accepted, and bytes both ways.

mod stats;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rand::RngExt as _;
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::format::Context;
use tandem_core::{Error, ResponseFlags, id, rescue};
use tandem_model::tcp_proxy::{TcpCluster, TcpProxy as Config};
use tandem_transport::io::Io;
use tandem_transport::metered::Metered;
use tandem_transport::relay::{self, Ended, Moved};
use tandem_upstream::{Clusters, TcpUpstream};
use tokio::time::Instant;

use crate::Deps;
use crate::access_log::{self, Logs};
use stats::Stats;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// One listener's TCP proxy on one worker.
#[derive(Debug)]
pub(crate) struct TcpProxy {
    config: Arc<Config>,
    clusters: Clusters,
    stats: Stats,
    logs: Logs,
}

impl TcpProxy {
    /// Proxies as configured.
    pub(crate) fn new(config: &Arc<Config>, deps: &Deps) -> Self {
        Self {
            config: Arc::clone(config),
            clusters: deps.clusters.clone(),
            stats: Stats::new(&deps.stats.tcp(&config.stat_prefix)),
            logs: Logs::new(&config.access_logs, &deps.logs, &deps.entries),
        }
    }

    /// Counts and logs a connection that was closed before it got here.
    pub(crate) fn refuse(&self, connection: Arc<ConnectionInfo>) {
        self.record(connection).complete = true;
    }

    fn record(&self, connection: Arc<ConnectionInfo>) -> Record<'_> {
        self.stats.total.inc();
        let _ = connection.stream_id.set(id::random());
        Record {
            moved: Moved::default(),
            complete: false,
            info: StreamInfo::new(connection, Protocol::Tcp, NEXT.fetch_add(1, Relaxed)),
            proxy: self,
        }
    }

    /// Serves a connection to its end.
    pub(crate) async fn serve(&self, stream: impl Into<Io>, connection: Arc<ConnectionInfo>) {
        let mut stream = Metered::new(stream.into(), &self.stats);
        let mut record = self.record(connection);
        let Some(mut upstream) = self.connect(&record.info).await else {
            record.complete = true;
            return;
        };
        let limits = relay::Limits {
            idle: self.config.idle_timeout,
            until: self
                .config
                .max_downstream_connection_duration
                .and_then(|duration| Instant::now().checked_add(duration)),
        };
        let moved = &mut record.moved;
        let ended = relay::run(&mut stream, upstream.stream(), limits, moved).await;
        record.complete = true;
        match ended {
            Ended::Idle => self.stats.idle_timeout.inc(),
            Ended::Expired => {
                self.stats.max_duration.inc();
                record.info.add_flags(ResponseFlags::DURATION_TIMEOUT);
            }
            // A direction that failed ends both with a reset, as it would without a proxy.
            Ended::First(_) => upstream.abort_on_drop(),
            Ended::Second(_) => {
                record.info.add_flags(ResponseFlags::UPSTREAM_REMOTE_RESET);
                stream.get_ref().abort_on_drop();
            }
            Ended::Closed => {}
        }
    }

    async fn connect(&self, info: &StreamInfo) -> Option<TcpUpstream> {
        let cluster = self.cluster();
        let _ = info.cluster.set(Arc::clone(&cluster));
        for _ in 0..self.config.max_connect_attempts.max(1) {
            let connected = self.clusters.connect_tcp(&cluster, info).await;
            if info.upstream.load_full().is_some() {
                // An endpoint was tried; without one there is nothing to be counted.
                info.attempts.fetch_add(1, Relaxed);
            }
            match connected {
                Ok(upstream) => return Some(upstream),
                Err(error) if self.note(&error, info) => {}
                Err(_) => return None,
            }
        }
        self.stats.attempts_exceeded.inc();
        info.add_flags(ResponseFlags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
        None
    }

    /// Records why there is no connection; whether another try may help.
    fn note(&self, error: &Error, info: &StreamInfo) -> bool {
        use tandem_core::error::Kind;
        if let Some(reply) = rescue::reply(error) {
            info.add_flags(reply.flags);
        }
        if let Kind::ClusterNotFound(_) = error.kind() {
            self.stats.no_route.inc();
        }
        if let Some(cause) = error.cause() {
            let _ = info.transport_failure.set(cause.to_string().into());
        }
        matches!(error.kind(), Kind::ConnectFailure(_))
    }

    fn cluster(&self) -> Arc<str> {
        match &self.config.cluster {
            TcpCluster::Cluster(name) => Arc::clone(name),
            TcpCluster::Weighted(clusters) => {
                let total: u64 = clusters.iter().map(|(_, weight)| u64::from(*weight)).sum();
                let mut at = rand::rng().random_range(0..total.max(1));
                for (name, weight) in clusters {
                    let weight = u64::from(*weight);
                    if at < weight {
                        return Arc::clone(name);
                    }
                    at -= weight;
                }
                Arc::from("")
            }
        }
    }
}

/// The log line of a connection, written however it ends.
struct Record<'a> {
    moved: Moved,
    /// Whether it ended by itself. Else its worker did.
    complete: bool,
    info: StreamInfo,
    proxy: &'a TcpProxy,
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let (info, connection) = (&self.info, &self.info.connection);
        let (received, sent) = (self.moved.forward, self.moved.backward);
        info.bytes_received.store(received, Relaxed);
        info.bytes_sent.store(sent, Relaxed);
        connection.wire_received.store(received, Relaxed);
        connection.wire_sent.store(sent, Relaxed);
        if !self.complete {
            let (flags, details) = access_log::cut_off_here();
            info.add_flags(flags);
            info.set_details(details);
        }
        self.proxy.logs.write(&Context {
            info: &self.info,
            request: None,
            response: None,
            trailers: None,
            duration: Some(self.info.start.elapsed()),
        });
    }
}

#[cfg(test)]
mod tests;
