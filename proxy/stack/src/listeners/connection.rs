//! The way of a connection from the socket to its filter chain.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tandem_core::ext::ConnectionInfo;
use tandem_core::live::Live;
use tandem_model::matching::ConnectionFacts;
use tandem_transport::accept::Peer;
use tokio::net::TcpStream;

use super::Shared;
use super::built::Built;
use super::chain::{Chain, One};
use super::line::Line;
use super::look::{Facts, look};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Stands for both addresses of a connection by a Unix socket where its chain is chosen, as in
/// Envoy: rules about addresses do not fit it, and it is local.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), 0);

/// Takes a connection that was accepted, and serves it as a task of its own. Where there is
/// nothing to look at first, its chain is chosen at once.
pub(super) fn admit(built: &Live<Built>, stream: TcpStream, peer: Peer, shared: &Arc<Shared>) {
    let built = built.load();
    let facts = Facts::new(&stream);
    if !built.is_plain() {
        let (built, shared) = (Arc::clone(&built), Arc::clone(shared));
        // Counted before its task first runs: a drain waits for it.
        let open = shared.open.one();
        tokio::spawn(find_and_serve(built, stream, peer, facts, shared, open));
    } else if let Some((chain, info)) = choose(&built, facts, peer) {
        tokio::spawn(chain.serve(stream, info, built.logs.clone()));
    }
}

async fn find_and_serve(
    mut built: Arc<Built>,
    mut stream: TcpStream,
    peer: Peer,
    mut facts: Facts,
    shared: Arc<Shared>,
    _open: One,
) {
    let pre_active = built.stats.pre_active.guard();
    let Some(looked_at) = look(&built, stream, &peer, &mut facts).await else {
        return;
    };
    stream = looked_at;
    // A connection is handed over once: the listener that it reaches keeps it.
    if built.listener.use_original_dst
        && let Some(wanted) = facts.original_destination
        && let Some(other) = shared.listening_on(wanted)
        && other.listener.name != built.listener.name
    {
        let _pre_active = other.stats.pre_active.guard();
        built = other;
        let Some(looked_at) = look(&built, stream, &peer, &mut facts).await else {
            return;
        };
        stream = looked_at;
    }
    drop(pre_active);
    if let Some((chain, info)) = choose(&built, facts, peer) {
        let logs = built.logs.clone();
        drop(built);
        chain.serve(stream, info, logs).await;
    }
}

/// The chain of a connection; without one it is counted, and closed by whoever holds it.
fn choose(built: &Built, facts: Facts, peer: Peer) -> Option<(Arc<Chain>, Arc<ConnectionInfo>)> {
    // A connection whose own address the system does not know is gone; the first read says so.
    let source = peer.address().unwrap_or(NOWHERE);
    let destination = facts.local.unwrap_or(source);
    let found = built.find(&ConnectionFacts {
        destination,
        server_name: facts.server_name.as_deref().unwrap_or_default(),
        transport_protocol: if facts.tls { "tls" } else { "raw_buffer" },
        application_protocols: &facts.application_protocols,
        direct_source: source.ip(),
        source,
    });
    let Some(chain) = found else {
        built.stats.no_filter_chain_match.inc();
        if let Some(logs) = built.logs.clone() {
            let info = info(built, facts, peer, "".into());
            Line::new(logs, info).of_no_chain();
        }
        return None;
    };
    let name = Arc::clone(&chain.config.name);
    Some((Arc::clone(chain), info(built, facts, peer, name)))
}

fn info(built: &Built, facts: Facts, peer: Peer, filter_chain: Arc<str>) -> Arc<ConnectionInfo> {
    Arc::new(ConnectionInfo {
        id: NEXT.fetch_add(1, Relaxed),
        remote: peer.address(),
        pipe: match peer {
            Peer::At(_) => None,
            Peer::Pipe(path) => Some(path),
        },
        local: facts.local,
        original_destination: facts.original_destination,
        source: facts.source,
        server_name: facts.server_name,
        application_protocols: facts.application_protocols,
        listener: Arc::clone(&built.listener.name),
        filter_chain,
        ..Default::default()
    })
}
