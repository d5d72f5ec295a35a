//! What carries the connections of a cluster: sockets alone, or TLS over them.

use std::sync::Arc;

use tandem_core::Error;
use tandem_core::error::{ConnectFailure, Kind};
use tandem_core::ext::TlsFacts;
use tandem_model::Cluster;
use tandem_model::tls::UpstreamTransport;
use tandem_transport::io::Io;
use tandem_transport::tls::{Ahead, ClientContext, Contexts, Offer, Peer, Stats};
use tokio::net::TcpStream;

use crate::host::Host;
use crate::stats::ClusterStats;

/// What a cluster needs to encrypt, made with it and held as long as it is there: it follows its
/// secrets and their files by itself.
#[derive(Debug)]
pub(crate) struct Transports {
    contexts: Box<[Arc<ClientContext>]>,
    stats: Arc<ClusterStats>,
}

/// What carries the connections to one host.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    /// Nothing more than a socket.
    Raw,
    /// TLS.
    Tls(Arc<ClientContext>, Arc<Stats>),
    /// TLS without a context, which no cluster has: never plain instead.
    Broken,
}

/// The name in a host's certificate, where a request decides about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ServerName {
    /// The server name to send; `None`: the configured one.
    pub(crate) sni: Option<Arc<str>>,
    /// Whether the certificate must be for it.
    pub(crate) check: bool,
}

/// A connection that can be used.
#[derive(Debug)]
pub(crate) struct Wire<IO> {
    pub(crate) io: IO,
    pub(crate) tls: Option<Arc<TlsFacts>>,
}

impl Transports {
    /// Reads the secrets that the cluster's configuration holds itself.
    pub(crate) fn new(cluster: &Cluster, contexts: &Contexts, stats: &Arc<ClusterStats>) -> Self {
        let configs = cluster
            .transports()
            .filter_map(|transport| match transport {
                UpstreamTransport::Raw => None,
                UpstreamTransport::Tls(config) => Some(config),
            });
        let contexts = configs.map(|config| {
            let (context, usable) = contexts.client(config);
            if let Err(error) = usable {
                tracing::error!(cluster = %cluster.name, %error, "cannot connect with TLS yet");
            }
            context
        });
        Self {
            contexts: contexts.collect(),
            stats: Arc::clone(stats),
        }
    }

    /// The contexts, one for each transport that encrypts.
    pub(crate) fn contexts(&self) -> &[Arc<ClientContext>] {
        &self.contexts
    }

    /// What carries connections to `host`.
    pub(crate) fn of(&self, cluster: &Cluster, host: &Host) -> Transport {
        let UpstreamTransport::Tls(config) = cluster.transport_of(&host.labels).0 else {
            return Transport::Raw;
        };
        let mut contexts = self.contexts.iter();
        match contexts.find(|context| context.config() == config) {
            Some(context) => {
                Transport::Tls(Arc::clone(context), Arc::clone(self.stats.handshakes()))
            }
            None => Transport::Broken,
        }
    }
}

impl Transport {
    /// Whether connections are encrypted, or should be.
    pub(crate) fn is_secure(&self) -> bool {
        !matches!(self, Self::Raw)
    }

    /// Makes a connection of a socket.
    pub(crate) async fn wrap(
        &self,
        socket: TcpStream,
        host: &Host,
        name: Option<&ServerName>,
        offer: Offer,
    ) -> Result<Wire<Io>, Error> {
        let (context, stats) = match self {
            Self::Raw => {
                return Ok(Wire {
                    io: Io::Plain(socket),
                    tls: None,
                });
            }
            Self::Broken => return Err(refused("TLS error: no context")),
            Self::Tls(context, stats) => (context, stats),
        };
        let own = (context.config().auto_host_sni && !host.hostname.is_empty())
            .then_some(&*host.hostname);
        let peer = Peer {
            address: host.address.socket().map(|address| address.ip()),
            sni: name.and_then(|name| name.sni.as_deref()).or(own),
            check_name: name.is_some_and(|name| name.check),
            offer,
        };
        // Boxed: it is large, and rare beside the requests.
        match Box::pin(context.connect(Ahead::new(socket), peer)).await {
            Ok(connected) => {
                stats.succeeded(&connected.facts, connected.resumed);
                Ok(Wire {
                    io: Io::Client(Box::new(connected.stream)),
                    tls: Some(Arc::new(connected.facts)),
                })
            }
            Err(failure) => {
                stats.failed(&failure);
                Err(refused(&failure.reason))
            }
        }
    }
}

fn refused(reason: &str) -> Error {
    let kind = Kind::ConnectFailure(ConnectFailure::Refused);
    if reason.is_empty() {
        Error::new(kind)
    } else {
        Error::with_source(kind, reason.to_owned())
    }
}
