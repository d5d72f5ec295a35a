//! Which HTTP a host wants, where it is the one to say so (`auto_config`).

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tandem_core::Error;
use tandem_transport::tls::Offer;

use super::HostPool;
use crate::transport::Wire;

/// What is known of a host's wish.
#[derive(Debug, Default)]
pub(super) struct Agreed {
    /// Nothing, HTTP/1.1 or HTTP/2.
    known: AtomicU8,
    /// The connection on which the host was asked; the first to need one takes it.
    spare: Mutex<Option<Wire>>,
    /// Whether there is one: nobody else need look.
    has_spare: AtomicBool,
}

const HTTP1: u8 = 1;
const HTTP2: u8 = 2;

impl HostPool {
    /// Whether the host wants HTTP/2. It is asked by a handshake, once: until a connection is
    /// refused, it is taken to want what it wanted then.
    pub(crate) async fn wants_http2(self: &Arc<Self>) -> Result<bool, Error> {
        match self.agreed.known.load(Relaxed) {
            HTTP1 => return Ok(false),
            HTTP2 => return Ok(true),
            _ => {}
        }
        if !self.is_secure() {
            return Ok(false);
        }
        let wire = Box::pin(self.connect(&self.target(), Offer::Either)).await?;
        let alpn = wire.tls.as_ref().and_then(|tls| tls.alpn.as_deref());
        let wants = alpn == Some("h2");
        self.agreed
            .known
            .store(if wants { HTTP2 } else { HTTP1 }, Relaxed);
        let mut spare = self
            .agreed
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *spare = Some(wire);
        self.agreed.has_spare.store(true, Relaxed);
        Ok(wants)
    }

    /// The connection on which the host was asked, if nobody uses it yet.
    pub(super) fn take_spare(&self) -> Option<Wire> {
        if !self.agreed.has_spare.swap(false, Relaxed) {
            return None;
        }
        let mut spare = self
            .agreed
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        spare.take()
    }
}
