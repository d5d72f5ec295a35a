//! Which HTTP a host wants, where it is the one to say so (`auto_config`).
//!
//! Every connection offers both, and is of the version that its handshake came to. What the
//! latest came to is what the next one is expected to be, so that only as many are opened as
//! are needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tandem_core::Error;
use tandem_model::cluster::UpstreamProtocol;
use tandem_transport::tls::Offer;

use super::http1::Connection;
use super::http2::Slot;
use super::{HostPool, Pending, Stream};
use crate::transport::Wire;

/// What a host is expected to speak.
#[derive(Debug, Default)]
pub(super) struct Agreed {
    /// Whether the latest connection came to HTTP/1.1.
    http1: AtomicBool,
}

/// A place for one request, of whichever version.
pub(crate) enum Place {
    /// A connection, and whether it is a new one.
    Http1(Box<Connection>, bool),
    Http2(Slot),
}

impl HostPool {
    /// Whether the host says which HTTP it wants.
    pub(crate) fn is_auto(&self) -> bool {
        self.cluster.config.http.protocol == UpstreamProtocol::Auto
    }

    /// A place on an open connection, or on one that this waits for.
    pub(crate) async fn place(self: &Arc<Self>, high_priority: bool) -> Result<Place, Error> {
        match self.place_at_hand(false) {
            Some(place) => Ok(place),
            None => self.wait_for_place(high_priority).await,
        }
    }

    async fn wait_for_place(self: &Arc<Self>, high_priority: bool) -> Result<Place, Error> {
        let breaker = self.cluster.breaker(high_priority);
        let pending = Pending::begin(self, breaker)?;
        let place = async {
            loop {
                if !self.is_secure() || self.agreed.http1.load(Relaxed) {
                    if let Some(connection) = self.try_http1(breaker).await? {
                        return Ok(Place::Http1(connection, true));
                    }
                } else if let Some(slot) = self.try_http2(breaker).await? {
                    return Ok(Place::Http2(slot));
                }
                if let Some(place) = self.place_at_hand(true) {
                    return Ok(place);
                }
            }
        }
        .await;
        pending.over();
        place
    }

    fn place_at_hand(&self, fresh: bool) -> Option<Place> {
        match self.open_http2() {
            Some(slot) => Some(Place::Http2(slot)),
            None => Some(Place::Http1(self.idle_http1()?, fresh)),
        }
    }

    /// Whether a new connection is one of HTTP/2, which `wanted` says where the host does not.
    pub(super) fn is_http2(&self, wire: &Wire<Stream>, wanted: bool) -> bool {
        if !self.is_auto() {
            return wanted;
        }
        let alpn = wire.tls.as_ref().and_then(|tls| tls.alpn.as_deref());
        let is_http2 = alpn == Some("h2");
        self.agreed.http1.store(!is_http2, Relaxed);
        is_http2
    }

    /// What a connection offers, if the host does not decide.
    pub(super) fn offer(&self, wanted: Offer) -> Offer {
        if self.is_auto() {
            Offer::Either
        } else {
            wanted
        }
    }

    /// There is room: where the host decides, who waits for the other version may use it too.
    pub(super) fn tell_all_of_auto(&self) {
        if self.is_auto() {
            self.waiting_http1.tell_all(|| None);
            self.waiting_http2.tell_all(|| Ok(()));
        }
    }
}
