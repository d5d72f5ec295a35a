//! From an endpoint to a connection that carries bytes.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Address, Error, Protocol, Server, Tls};

/// What a connection is, whatever it runs over.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

pub(super) type Connection = Box<dyn Bytes>;

/// Connects to the first of the endpoint's addresses that can be reached.
pub(super) async fn dial(server: &Server, endpoint: &Address) -> Result<Connection, Error> {
    match endpoint {
        Address::Unix(path) => {
            within(server, endpoint, async {
                let stream = unix(path).await.map_err(failed(endpoint))?;
                secure(server, endpoint, Box::new(stream)).await
            })
            .await
        }
        Address::Tcp { host, port } => {
            let mut last = Error::NoEndpoint;
            let found = within(server, endpoint, resolve(host, *port)).await?;
            for address in found {
                let attempt = within(server, endpoint, async {
                    let stream = tcp(address).await.map_err(failed(endpoint))?;
                    secure(server, endpoint, Box::new(stream)).await
                });
                match attempt.await {
                    Ok(connection) => return Ok(connection),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

async fn within<T>(
    server: &Server,
    endpoint: &Address,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let done = timeout(server.connect_timeout, work).await;
    done.unwrap_or_else(|_| {
        Err(Error::TimedOut {
            address: endpoint.to_string(),
        })
    })
}

/// The host's addresses, beginning with any: a name of many control planes is to spread its
/// clients over them.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let failed = |source| Error::Resolve {
        host: host.to_owned(),
        source,
    };
    let found = lookup_host((host, port)).await.map_err(failed)?;
    let mut found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(failed(io::Error::other("no address")));
    }
    let begin = rand::random_range(0..found.len());
    found.rotate_left(begin);
    Ok(found)
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Requests are small and each is waited for.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn unix(path: &Path) -> io::Result<UnixStream> {
    match path.as_os_str().as_encoded_bytes().strip_prefix(b"@") {
        // tokio takes a leading zero byte for the abstract namespace.
        Some(name) => {
            let name = std::str::from_utf8(name).map_err(io::Error::other)?;
            UnixStream::connect(format!("\0{name}")).await
        }
        None => UnixStream::connect(path).await,
    }
}

/// The TLS handshake, where TLS is asked for.
async fn secure(
    server: &Server,
    endpoint: &Address,
    stream: Connection,
) -> Result<Connection, Error> {
    let Some(tls) = &server.tls else {
        return Ok(stream);
    };
    let expected = match server.protocol {
        Protocol::Http1 => "http/1.1",
        Protocol::Http2 => "h2",
    };
    let mut config = Arc::clone(&tls.config);
    if config.alpn_protocols.is_empty() {
        Arc::make_mut(&mut config).alpn_protocols = vec![expected.into()];
    }
    let name = server_name(tls, endpoint)?;
    let handshake = TlsConnector::from(config).connect(name, stream);
    let stream = handshake.await.map_err(failed(endpoint))?;
    match stream.get_ref().1.alpn_protocol() {
        Some(chosen) if chosen != expected.as_bytes() => Err(Error::Protocol {
            address: endpoint.to_string(),
            chosen: String::from_utf8_lossy(chosen).into_owned(),
            expected,
        }),
        _ => Ok(Box::new(stream)),
    }
}

fn server_name(tls: &Tls, endpoint: &Address) -> Result<ServerName<'static>, Error> {
    if let Some(name) = &tls.server_name {
        return Ok(name.clone());
    }
    let host = match endpoint {
        Address::Tcp { host, .. } => host,
        Address::Unix(_) => "localhost",
    };
    ServerName::try_from(host.to_owned()).map_err(|_| Error::ServerName(host.to_owned()))
}

fn failed(endpoint: &Address) -> impl FnOnce(io::Error) -> Error {
    let address = endpoint.to_string();
    move |source| Error::Connect { address, source }
}
