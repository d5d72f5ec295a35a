//! Accepting connections without falling over when the system is short of something.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::listen::Listening;
use crate::unix;

/// The longest pause between tries while descriptors or memory are short.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Accepts from one listening socket.
#[derive(Debug)]
pub struct Acceptor {
    listener: Listener,
    pause: Duration,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Arc<str>),
}

/// Who connected.
#[derive(Clone, Debug)]
pub enum Peer {
    /// Somebody with an address.
    At(SocketAddr),
    /// Somebody by the Unix socket of this path.
    Pipe(Arc<str>),
}

impl Peer {
    /// The peer's address; nobody has one at a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::At(address) => Some(*address),
            Self::Pipe(_) => None,
        }
    }
}

/// A connection, and whose it is.
pub type Accepted = (TcpStream, Peer);

impl Acceptor {
    /// Takes over a bound, listening, non-blocking socket; call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    pub fn new(listener: Listening) -> io::Result<Self> {
        Ok(Self {
            listener: match listener {
                Listening::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
                Listening::Unix(listener, path) => {
                    Listener::Unix(UnixListener::from_std(listener)?, path)
                }
            },
            pause: Duration::ZERO,
        })
    }

    /// The next connection, with `TCP_NODELAY` set.
    ///
    /// A connection that died in the queue is skipped. When the process is out of descriptors
    /// or the system out of memory it pauses, longer each time: spinning would take the CPU
    /// from the connections whose end is awaited.
    pub async fn accept(&mut self) -> Accepted {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.pause = Duration::ZERO;
                    return accepted;
                }
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    self.pause = next_pause(self.pause);
                    tracing::warn!(%error, pause = ?self.pause, "cannot accept connections");
                    tokio::time::sleep(self.pause).await;
                }
            }
        }
    }
}

impl Acceptor {
    /// Listens no more; up to `most` connections that the system had already let in.
    pub fn into_waiting(self, most: u32) -> Vec<Accepted> {
        match self.listener {
            Listener::Tcp(listener) => match listener.into_std() {
                Ok(listener) => waiting(most, || {
                    let (stream, peer) = listener.accept()?;
                    Ok(registered(stream)
                        .ok()
                        .map(|stream| (stream, Peer::At(peer))))
                }),
                Err(_) => Vec::new(),
            },
            Listener::Unix(listener, path) => match listener.into_std() {
                Ok(listener) => waiting(most, || {
                    let (stream, _) = listener.accept()?;
                    let stream = unix::accepted(stream).ok();
                    Ok(stream.map(|stream| (stream, Peer::Pipe(Arc::clone(&path)))))
                }),
                Err(_) => Vec::new(),
            },
        }
    }
}

fn waiting(most: u32, accept: impl Fn() -> io::Result<Option<Accepted>>) -> Vec<Accepted> {
    let mut waiting = Vec::new();
    for _ in 0..most {
        match accept() {
            Ok(accepted) => waiting.extend(accepted),
            Err(error) if is_of_connection(&error) => {}
            Err(_) => break,
        }
    }
    waiting
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Fails only for a connection that is gone; the first read will say so.
                let _ = stream.set_nodelay(true);
                Ok((stream, Peer::At(peer)))
            }
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept().await?;
                let stream = unix::accepted(stream.into_std()?)?;
                Ok((stream, Peer::Pipe(Arc::clone(path))))
            }
        }
    }
}

fn registered(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    TcpStream::from_std(stream)
}

/// Errors that concern only the connection at the head of the queue.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn next_pause(last: Duration) -> Duration {
    (last * 2).clamp(Duration::from_millis(5), MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second() {
        let mut pause = Duration::ZERO;
        for _ in 0..20 {
            let next = next_pause(pause);
            assert!(next >= pause && next > Duration::ZERO);
            pause = next;
        }
        assert_eq!(pause, MAX_PAUSE);
    }
}
