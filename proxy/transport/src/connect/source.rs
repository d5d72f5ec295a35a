//! Where a connection comes from: the cluster's own addresses, or the client's.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;
use tandem_core::Error;
use tandem_core::error::{ConnectFailure, Kind};
use tandem_core::ext::Source;
use tandem_model::cluster::Bind;
use tokio::net::TcpSocket;

use super::words;
use crate::option;

/// Binds the socket to the client's address if that is to be kept, else to the one of the
/// cluster's that suits `addr`. As under Envoy the cluster's mark goes before the client's.
pub(super) fn bind(
    socket: &TcpSocket,
    addr: SocketAddr,
    bind: Option<&Bind>,
    client: Option<&Source>,
) -> Result<(), Error> {
    let mark = bind.and_then(|bind| bind.mark);
    if let Some(mark) = mark.or(client.and_then(|client| client.mark)) {
        let marked = SockRef::from(socket).set_mark(mark);
        marked.map_err(|error| no_option("SO_MARK", &error))?;
    }
    if let Some(client) = client {
        let set = option::set_transparent(&SockRef::from(socket), client.address);
        set.map_err(|error| no_option("IP_TRANSPARENT", &error))?;
        return set_source(socket, client.address);
    }
    let suits = |source: &&SocketAddr| source.is_ipv4() == addr.is_ipv4();
    let own = bind.map(|bind| &*bind.sources).unwrap_or_default();
    match own.iter().find(suits).or(own.first()) {
        Some(source) => set_source(socket, *source),
        None => Ok(()),
    }
}

fn set_source(socket: &TcpSocket, source: SocketAddr) -> Result<(), Error> {
    if source.port() == 0 {
        // Best effort: without it connections to all endpoints share one range of ports.
        let _ = option::set_port_at_connect(&SockRef::from(socket));
    }
    socket.bind(source).map_err(|error| {
        Error::with_source(
            Kind::ConnectFailure(ConnectFailure::Bind),
            format!("failed to bind to {source}: {}", words(&error)),
        )
    })
}

/// Like Envoy, this is said in the process's log and not in that of the request, whose sender
/// can do nothing about it.
fn no_option(option: &str, error: &io::Error) -> Error {
    let needed = match error.kind() {
        io::ErrorKind::PermissionDenied => "CAP_NET_ADMIN",
        _ => "an address of the endpoint's family",
    };
    tracing::warn!(option, needed, %error, "cannot connect from where the configuration says");
    Error::new(Kind::ConnectFailure(ConnectFailure::Option))
}
