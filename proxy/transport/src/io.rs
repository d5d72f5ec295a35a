//! A connection of the proxy: a socket, or TLS over one.
//!
//! One type, so that what serves connections is compiled once. A plain connection costs one
//! look at which it is more than a socket; an encrypted one has its state on the heap.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::{Ahead, stream};

/// A connection.
#[derive(Debug)]
pub enum Io {
    /// A socket.
    Plain(TcpStream),
    /// TLS with a client.
    Server(Box<stream::Server<Ahead<TcpStream>>>),
    /// TLS with an endpoint.
    Client(Box<stream::Client<Ahead<TcpStream>>>),
}

impl Io {
    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Server(tls) => tls.get_ref().0.get_ref(),
            Self::Client(tls) => tls.get_ref().0.get_ref(),
        }
    }

    /// This side's address.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket().local_addr().ok()
    }

    /// Makes the end of the connection a reset.
    pub fn abort_on_drop(&self) {
        // Best effort: without it the peer sees an orderly end.
        let _ = self.socket().set_zero_linger();
    }
}

impl From<TcpStream> for Io {
    fn from(socket: TcpStream) -> Self {
        Self::Plain(socket)
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = match self.get_mut() {
            Self::Plain(socket) => return Pin::new(socket).poll_read(cx, buf),
            Self::Server(tls) => Pin::new(tls).poll_read(cx, buf),
            Self::Client(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        match polled {
            // Many peers just close. Whether that cut something off is for the protocol
            // inside to say, which knows how long its messages are.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Server(tls) => Pin::new(tls).poll_write(cx, buf),
            Self::Client(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Self::Server(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
            Self::Client(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Server(tls) => Pin::new(tls).poll_flush(cx),
            Self::Client(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Server(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Client(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
