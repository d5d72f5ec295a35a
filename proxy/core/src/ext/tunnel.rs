//! What carries bytes once an upstream has switched protocols.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};

/// The upstream's side of a switch of protocols: a connection, or a stream of one of HTTP/2. In
/// the extensions of a response with status 101, set by what sent the request to the upstream.
#[derive(Clone)]
pub struct Tunnel(Arc<Mutex<Option<Box<dyn Io>>>>);

/// Bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Tunnel {
    /// Leaves it for whoever serves the client.
    pub fn new(io: impl Io + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(io)))))
    }

    /// The bytes; only the first who asks gets them.
    pub fn take(&self) -> Option<Box<dyn Io>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}
