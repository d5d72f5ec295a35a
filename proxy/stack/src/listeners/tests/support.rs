//! Listeners before clusters whose endpoints say their name and then repeat what they hear.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_core::directory::Directory;
use tandem_core::drain::{self, Signal};
use tandem_core::filter::BuildFilter;
use tandem_core::stats::Registry;
use tandem_model::cidr::Cidr;
use tandem_model::cluster::{Endpoint, LoadAssignment, LocalityEndpoints};
use tandem_model::listener::{FilterChainMatch, NetworkFilter, TrafficDirection};
use tandem_model::tcp_proxy::{TcpCluster, TcpProxy};
use tandem_model::{Address, Cluster};
use tandem_transport::listen::{self, Listening, Options};
use tandem_upstream::ClusterManager;

use super::*;
use crate::access_log::Sinks;

pub(super) use tandem_model::listener::FilterChain;
pub(super) use tokio::net::TcpStream;

pub(super) struct Rig {
    pub(super) listeners: Listeners,
    pub(super) signal: Signal,
    watch: Watch,
    logs: Sinks,
    stats: Registry,
    _manager: Arc<ClusterManager>,
}

impl Rig {
    pub(super) async fn new() -> Self {
        let stats = Registry::default();
        let mut clusters = Vec::new();
        for name in ["a", "b", "c"] {
            clusters.push(cluster(name, endpoint(name).await));
        }
        let logs = Sinks::new(Duration::from_secs(1), 1);
        let control = tokio::runtime::Handle::current();
        let manager = ClusterManager::new(&clusters, &stats, &control);
        let deps = Deps {
            clusters: manager.worker(),
            stats: stats.clone(),
            filters: BuildFilter::new(|_, _, inner| inner),
            directory: Directory::default(),
            routes: Default::default(),
            extensions: Default::default(),
            logs: logs.clone(),
            entries: Default::default(),
        };
        let (signal, watch) = drain::channel();
        Self {
            listeners: Listeners::new(deps, Duration::from_millis(50)),
            signal,
            watch,
            logs,
            stats,
            _manager: manager,
        }
    }

    /// A listener on all addresses, with a port of its own.
    pub(super) fn listener(
        &self,
        name: &str,
        chains: impl IntoIterator<Item = Arc<FilterChain>>,
    ) -> (Listener, Vec<Listening>) {
        let listener = Listener {
            name: name.into(),
            stat_prefix: name.into(),
            address: Address::Socket(([0, 0, 0, 0], 0).into()),
            additional_addresses: Vec::new(),
            traffic_direction: TrafficDirection::Unspecified,
            bind_to_port: true,
            use_original_dst: false,
            transparent: false,
            freebind: false,
            listener_filters: Vec::new(),
            listener_filters_timeout: Some(Duration::from_secs(15)),
            continue_on_listener_filters_timeout: false,
            filter_chains: chains.into_iter().collect(),
            default_filter_chain: None,
            per_connection_buffer_limit_bytes: 1024 * 1024,
            tcp_backlog_size: 16,
            enable_reuse_port: true,
            access_logs: Vec::new(),
        };
        let sockets = listen::bind(&listener.address, 1, &Options::of(&listener)).unwrap();
        (listener, sockets)
    }

    /// Serves it; its port.
    pub(super) fn add(&mut self, listener: Listener, sockets: Vec<Listening>) -> u16 {
        let port = sockets[0].local_addr().unwrap().port();
        self.listeners.apply([Command::Add {
            listener: Arc::new(listener),
            sockets,
            drain: self.watch.clone(),
        }]);
        port
    }

    /// Takes a listener away.
    pub(super) fn remove(&mut self, name: &str) {
        let scope = self.stats.plain("listener_manager");
        let draining = scope.gauge("total_listeners_draining").guard();
        self.listeners.apply([Command::Remove {
            name: name.into(),
            draining: Arc::new(draining),
        }]);
    }

    pub(super) async fn open(&self, to: SocketAddr) -> Client {
        Client(TcpStream::connect(to).await.unwrap())
    }

    /// The name of who answers there.
    pub(super) async fn ask(&self, to: SocketAddr) -> String {
        self.open(to).await.hear().await
    }

    /// Waits until all log lines are written.
    pub(super) fn flush(&self) {
        self.logs.flush();
    }

    pub(super) fn stat(&self, name: &str) -> u64 {
        let text = self.stats.text(|n| n == name, false);
        let value = text.trim().rsplit(' ').next().unwrap_or_default();
        value.parse().unwrap()
    }
}

pub(super) struct Client(TcpStream);

impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Self {
        Self(stream)
    }
}

impl Client {
    /// The next character; none if the connection has ended.
    pub(super) async fn hear(&mut self) -> String {
        let mut byte = [0];
        match self.0.read(&mut byte).await {
            Ok(1) => char::from(byte[0]).into(),
            _ => String::new(),
        }
    }

    /// The same, to one who may not listen to the end.
    pub(super) async fn try_say(&mut self, text: &[u8]) {
        let _ = self.0.write_all(text).await;
    }

    pub(super) async fn end(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    pub(super) async fn say(&mut self, text: &[u8]) {
        self.0.write_all(text).await.unwrap();
    }
}

pub(super) fn within(address: &str, bits: u8) -> FilterChainMatch {
    FilterChainMatch {
        prefix_ranges: vec![Cidr::new(address.parse().unwrap(), bits)],
        ..Default::default()
    }
}

/// A chain that connects to a cluster.
pub(super) fn chain(name: &str, matches: FilterChainMatch, cluster: &str) -> Arc<FilterChain> {
    Arc::new(FilterChain {
        name: name.into(),
        matches,
        transport_socket: None,
        transport_socket_connect_timeout: None,
        network_filters: Vec::new(),
        filter: NetworkFilter::Tcp(Arc::new(TcpProxy {
            stat_prefix: name.into(),
            cluster: TcpCluster::Cluster(cluster.into()),
            idle_timeout: None,
            max_downstream_connection_duration: None,
            max_connect_attempts: 1,
            access_logs: Vec::new(),
        })),
    })
}

fn cluster(name: &str, addr: SocketAddr) -> Arc<Cluster> {
    Arc::new(Cluster {
        load_assignment: LoadAssignment {
            localities: vec![LocalityEndpoints {
                endpoints: vec![Endpoint::new(Address::Socket(addr))],
                ..Default::default()
            }],
            overprovisioning_factor: 140,
        },
        ..Cluster::new(name)
    })
}

async fn endpoint(name: &'static str) -> SocketAddr {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            tokio::spawn(async move {
                stream.write_all(name.as_bytes()).await?;
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    addr
}

/// Bound beside a listener, and not listening: when the listener has gone nobody else is given
/// its port.
pub(super) fn reserved(port: u16) -> tokio::net::TcpSocket {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(([0, 0, 0, 0], port).into()).unwrap();
    socket
}
