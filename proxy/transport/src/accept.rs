//! Accepting connections without falling over when the system is short of something.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// The longest pause between tries while descriptors or memory are short.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Accepts from one listening socket.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    pause: Duration,
}

impl Acceptor {
    /// Takes over a bound, listening, non-blocking socket; call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    pub fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            pause: Duration::ZERO,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If the system cannot say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection, with `TCP_NODELAY` set.
    ///
    /// A connection that died in the queue is skipped. When the process is out of descriptors
    /// or the system out of memory it pauses, longer each time: spinning would take the CPU
    /// from the connections whose end is awaited.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = Duration::ZERO;
                    // Fails only for a connection that is gone; the first read will say so.
                    let _ = stream.set_nodelay(true);
                    return (stream, peer);
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
    pub fn into_waiting(self, most: u32) -> Vec<(TcpStream, SocketAddr)> {
        let Ok(listener) = self.listener.into_std() else {
            return Vec::new();
        };
        let mut waiting = Vec::new();
        for _ in 0..most {
            match listener.accept() {
                Ok((stream, peer)) => waiting.extend(registered(stream).ok().zip(Some(peer))),
                Err(error) if is_of_connection(&error) => {}
                Err(_) => break,
            }
        }
        waiting
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
