//! One filter chain of one worker: what serves its connections, and their end.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tandem_core::directory::Door;
use tandem_core::ext::ConnectionInfo;
use tandem_core::stats::GaugeGuard;
use tandem_model::Listener;
use tandem_model::listener::{FilterChain, NetworkFilter};
use tandem_transport::io::Io;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::line::Line;
use super::stats::Stats;
use crate::access_log::Logs;
use crate::gates::Gates;
use crate::server::{Draining, Server};
use crate::tcp::TcpProxy;
use crate::tls::Handshake;
use crate::{Deps, hcm};

/// A built chain. It lives as long as a connection or its listener holds it.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(super) config: Arc<FilterChain>,
    /// What of the listener's own settings it was built with.
    buffer_limit: u32,
    transport: Transport,
    gates: Gates,
    target: Target,
    door: Option<Door>,
    draining: Arc<Draining>,
    cut: Draining,
    open: Arc<Open>,
    stats: Arc<Stats>,
    retired: std::sync::OnceLock<Retired>,
}

/// Counts a chain that drains, and its listener if that drains as a whole.
#[derive(Debug)]
struct Retired {
    _chain: GaugeGuard,
    _listener: Option<Arc<GaugeGuard>>,
}

/// What its connections go to.
#[derive(Debug)]
enum Target {
    Http(Arc<Server>),
    Tcp(TcpProxy),
}

/// What its connections are wrapped in.
#[derive(Debug)]
enum Transport {
    Plain,
    Tls(Box<Handshake>),
    /// It cannot be served: connections are closed, never taken as they are.
    Broken,
}

impl Chain {
    pub(super) fn new(
        config: &Arc<FilterChain>,
        listener: &Listener,
        deps: &Deps,
        open: &Arc<Open>,
        stats: &Arc<Stats>,
    ) -> Self {
        let draining = Arc::new(Draining::default());
        let (target, door) = match &config.filter {
            NetworkFilter::Http(manager) => {
                let (service, routes) = hcm::build(manager, listener, deps);
                let server = Server::new(
                    Arc::clone(manager),
                    service.clone(),
                    &deps.stats,
                    Arc::clone(&draining),
                );
                let door = Door {
                    service,
                    routes,
                    encrypted: config.transport_socket.is_some(),
                };
                (Target::Http(Arc::new(server)), Some(door))
            }
            NetworkFilter::Tcp(proxy) => (Target::Tcp(TcpProxy::new(proxy, deps)), None),
        };
        let transport = match Handshake::new(config, &listener.stat_prefix, deps) {
            Ok(None) => Transport::Plain,
            Ok(Some(handshake)) => Transport::Tls(Box::new(handshake)),
            Err(error) => {
                tracing::error!(listener = %listener.name, %error, "cannot serve TLS");
                Transport::Broken
            }
        };
        Self {
            config: Arc::clone(config),
            buffer_limit: listener.per_connection_buffer_limit_bytes,
            transport,
            gates: Gates::new(&config.network_filters, deps),
            target,
            door,
            draining,
            cut: Draining::default(),
            open: Arc::clone(open),
            stats: Arc::clone(stats),
            retired: std::sync::OnceLock::new(),
        }
    }

    /// Whether it is what `config` of `listener` would be built to.
    pub(super) fn is_for(&self, config: &FilterChain, listener: &Listener) -> bool {
        *self.config == *config && self.buffer_limit == listener.per_connection_buffer_limit_bytes
    }

    /// What its requests run through, if it speaks HTTP.
    pub(super) fn door(&self) -> Option<&Door> {
        self.door.as_ref()
    }

    /// Asks its connections, those to come too, to finish with their next answer.
    pub(super) fn leave(&self) {
        self.draining.start_gently();
    }

    /// Asks its connections to finish.
    pub(super) fn drain(&self) {
        self.draining.start();
    }

    /// Asks them to finish with their next answer, and ends those that are left after `time`.
    pub(super) fn retire(self: &Arc<Self>, time: Duration, listener: Option<&Arc<GaugeGuard>>) {
        let _ = self.retired.set(Retired {
            _chain: self.stats.chains_draining.guard(),
            _listener: listener.cloned(),
        });
        self.draining.start_gently();
        let chain: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            if let Some(chain) = chain.upgrade() {
                chain.cut.start();
            }
        });
    }

    /// Serves a connection to its end; `logs` get the listener's own line of it. It is counted
    /// from this call on, not from when its task first runs: a drain waits for it.
    pub(super) fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        info: Arc<ConnectionInfo>,
        logs: Option<Arc<Logs>>,
    ) -> impl Future<Output = ()> {
        let open = self.open.one();
        async move {
            let _open = open;
            self.stats.total.inc();
            let _active = self.stats.active.guard();
            let since = Instant::now();
            tokio::select! {
                biased;
                () = self.shake_and_serve(stream, info, logs) => {}
                () = self.cut.is_asked() => {}
            }
            self.stats.destroy.inc();
            self.stats.length.record(since.elapsed());
        }
    }
}

impl Chain {
    async fn shake_and_serve(
        &self,
        stream: TcpStream,
        mut info: Arc<ConnectionInfo>,
        logs: Option<Arc<Logs>>,
    ) {
        let stream = match &self.transport {
            Transport::Plain => Some(Io::Plain(stream)),
            // Boxed: its state is large, and gone when it is over.
            Transport::Tls(handshake) => match Arc::get_mut(&mut info) {
                Some(info) => Box::pin(handshake.shake(stream, info, &self.draining)).await,
                // Nobody else has it before it is known what the handshake shows.
                None => None,
            },
            Transport::Broken => None,
        };
        // Boxed: hardly any listener has one.
        let _line = logs.map(|logs| Box::new(Line::new(logs, Arc::clone(&info))));
        match (stream, &self.target) {
            (Some(stream), target) => target.serve(&self.gates, stream, info).await,
            // As in Envoy, whose filter is there before the handshake.
            (None, Target::Tcp(proxy)) => proxy.refuse(info),
            (None, Target::Http(_)) => {}
        }
    }
}

impl Target {
    async fn serve(&self, gates: &Gates, mut stream: Io, info: Arc<ConnectionInfo>) {
        // Behind the transport's handshake, since gates judge by whom it showed; before anything
        // else, so that nothing is done for a connection that is refused.
        if !gates.pass(&mut stream, &info).await {
            if let Self::Tcp(proxy) = self {
                proxy.refuse(info);
            }
            return;
        }
        match self {
            Self::Http(server) => Arc::clone(server).serve(stream, info).await,
            Self::Tcp(proxy) => proxy.serve(stream, info).await,
        }
    }
}

/// How many connections a worker has, or tasks that accept them.
#[derive(Debug, Default)]
pub(crate) struct Open {
    count: AtomicUsize,
    ended: Notify,
}

impl Open {
    pub(super) fn one(self: &Arc<Self>) -> One {
        self.count.fetch_add(1, Relaxed);
        One(Arc::clone(self))
    }

    /// Resolves when there is none.
    pub(super) async fn none(&self) {
        loop {
            let ended = self.ended.notified();
            if self.count.load(Relaxed) == 0 {
                return;
            }
            ended.await;
        }
    }
}

/// One that is counted.
#[derive(Debug)]
pub(crate) struct One(Arc<Open>);

impl Drop for One {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Relaxed) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}
