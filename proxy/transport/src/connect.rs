//! Connecting to an endpoint, in bounded time.

mod source;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tandem_core::Error;
use tandem_core::error::{ConnectFailure, Kind};
use tandem_core::ext::Source;
use tandem_model::Address;
use tandem_model::cluster::{Bind, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use crate::unix;

/// Opens a connection to `address`, without Nagle's delay. A name is not looked up here. It comes
/// from `source` if there is one, whatever `bind` says; a Unix socket has no use for either.
///
/// # Errors
/// [`Kind::ConnectFailure`] with the system's reason as its cause, in the words that Envoy
/// gives for `%UPSTREAM_TRANSPORT_FAILURE_REASON%`; [`ConnectFailure::Timeout`] after `timeout`;
/// [`ConnectFailure::Bind`] if it cannot come from where it should, and
/// [`ConnectFailure::Option`] if it needs rights for that which this process does not have.
pub async fn connect(
    address: &Address,
    timeout: Duration,
    keepalive: Option<&TcpKeepalive>,
    bind: Option<&Bind>,
    source: Option<&Source>,
) -> Result<TcpStream, Error> {
    let addr = match address {
        Address::Socket(addr) => *addr,
        // It has no probes and no source; only the mark is every socket's.
        Address::Pipe(pipe) => {
            let mark = bind.and_then(|bind| bind.mark);
            return unix::connect(pipe, mark).map_err(|error| refused("immediate", &error));
        }
        Address::Name { .. } => {
            let error = io::Error::other("expected a resolved address");
            return Err(refused("immediate", &error));
        }
    };
    let socket = open(addr, keepalive).map_err(|error| refused("immediate", &error))?;
    if bind.is_some() || source.is_some() {
        source::bind(&socket, addr, bind, source)?;
    }
    match tokio::time::timeout(timeout, socket.connect(addr)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(refused("delayed", &error)),
        Err(_) => Err(Error::new(Kind::ConnectFailure(ConnectFailure::Timeout))),
    }
}

fn open(addr: SocketAddr, keepalive: Option<&TcpKeepalive>) -> io::Result<TcpSocket> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_nodelay(true)?;
    if let Some(keepalive) = keepalive {
        SockRef::from(&socket).set_tcp_keepalive(&probes(keepalive))?;
    }
    Ok(socket)
}

fn probes(keepalive: &TcpKeepalive) -> socket2::TcpKeepalive {
    let mut probes = socket2::TcpKeepalive::new();
    if let Some(time) = keepalive.time {
        probes = probes.with_time(time);
    }
    if let Some(interval) = keepalive.interval {
        probes = probes.with_interval(interval);
    }
    if let Some(retries) = keepalive.probes {
        probes = probes.with_retries(retries);
    }
    probes
}

fn refused(when: &str, error: &io::Error) -> Error {
    Error::with_source(
        Kind::ConnectFailure(ConnectFailure::Refused),
        format!("{when} connect error: {}", words(error)),
    )
}

/// The standard library adds "(os error 111)"; Envoy gives the system's words alone.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    words.to_owned()
}

#[cfg(test)]
mod tests;
