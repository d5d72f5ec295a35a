//! Accepting connections: one worker's side of one listener.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use tandem_core::HttpService;
use tandem_core::drain::{Phase, Watch};
use tandem_core::ext::ConnectionInfo;
use tandem_core::stats::{Counter, Gauge, Histogram, Registry};
use tandem_model::Listener;
use tandem_model::listener::NetworkFilter;
use tandem_transport::accept::Acceptor;
use tandem_transport::io::Io;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::Deps;
use crate::server::{Draining, Server};
use crate::tcp::TcpProxy;
use crate::tls::Handshake;

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// What a listener's connections go to.
#[derive(Clone, Debug)]
enum Target {
    Http(Arc<Server>),
    Tcp(Arc<TcpProxy>),
}

/// Accepts and serves until told to drain, then until the last connection has ended or the
/// drain is over.
///
/// `service` is what the requests of an HTTP listener run through; a TCP proxy needs none.
pub async fn run(
    socket: TcpListener,
    listener: Arc<Listener>,
    service: Option<HttpService>,
    deps: Deps,
    mut drain: Watch,
) {
    let draining = Arc::new(Draining::default());
    let Some(chain) = listener.chains().next() else {
        tracing::error!(listener = %listener.name, "a listener needs a filter chain");
        return;
    };
    let target = match (&chain.filter, service) {
        (NetworkFilter::Http(manager), Some(service)) => Target::Http(Arc::new(Server::new(
            Arc::clone(manager),
            service,
            &deps.stats,
            Arc::clone(&draining),
        ))),
        (NetworkFilter::Tcp(proxy), _) => Target::Tcp(Arc::new(TcpProxy::new(proxy, &deps))),
        (NetworkFilter::Http(_), None) => {
            tracing::error!(listener = %listener.name, "an HTTP listener needs a service");
            return;
        }
    };
    let mut acceptor = match Acceptor::new(socket) {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::error!(listener = %listener.name, %error, "cannot accept connections");
            return;
        }
    };
    let handshake = match Handshake::new(chain, &listener.stat_prefix, &deps) {
        Ok(handshake) => handshake.map(Arc::new),
        Err(error) => {
            tracing::error!(listener = %listener.name, %error, "cannot serve TLS");
            return;
        }
    };
    let stats = Arc::new(Stats::new(&deps.stats, &listener.stat_prefix));
    // Each connection holds a sender: when all are dropped, none is left.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = drain.reached(Phase::Draining) => break,
            accepted = acceptor.accept() => accepted,
        };
        let info = ConnectionInfo {
            id: NEXT_CONNECTION.fetch_add(1, Relaxed),
            remote: Some(peer),
            local: stream.local_addr().ok(),
            listener: Arc::clone(&listener.name),
            filter_chain: Arc::clone(&chain.name),
            ..Default::default()
        };
        tokio::spawn(serve(
            target.clone(),
            handshake
                .clone()
                .map(|handshake| (handshake, Arc::clone(&draining))),
            stream,
            info,
            Arc::clone(&stats),
            open.clone(),
        ));
    }
    drop(acceptor);
    drop(open);
    draining.start();
    tokio::select! {
        _ = all_closed.recv() => {}
        () = drain.reached(Phase::Closing) => {}
    }
}

async fn serve(
    target: Target,
    handshake: Option<(Arc<Handshake>, Arc<Draining>)>,
    stream: TcpStream,
    mut info: ConnectionInfo,
    stats: Arc<Stats>,
    _open: mpsc::Sender<()>,
) {
    stats.total.inc();
    let _active = stats.active.guard();
    let since = Instant::now();
    let stream = match handshake {
        None => Some(Io::Plain(stream)),
        // Boxed: its state is large, and gone when it is over.
        Some((handshake, draining)) => {
            Box::pin(handshake.shake(stream, &mut info, &draining)).await
        }
    };
    if let Some(stream) = stream {
        let info = Arc::new(info);
        match target {
            Target::Http(server) => server.serve(stream, info).await,
            Target::Tcp(proxy) => proxy.serve(stream, info).await,
        }
    }
    stats.destroy.inc();
    stats.length.record(since.elapsed());
}

/// `listener.<address>.downstream_cx_*`.
#[derive(Debug)]
struct Stats {
    total: Counter,
    active: Gauge,
    destroy: Counter,
    length: Histogram,
}

impl Stats {
    fn new(stats: &Registry, prefix: &str) -> Self {
        let scope = stats.listener(prefix);
        Self {
            total: scope.counter("downstream_cx_total"),
            active: scope.gauge("downstream_cx_active"),
            destroy: scope.counter("downstream_cx_destroy"),
            length: scope.histogram("downstream_cx_length_ms"),
        }
    }
}
