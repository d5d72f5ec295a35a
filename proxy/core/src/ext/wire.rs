//! Bytes on the wire that belong to one request, counted where logs ask for them.
//!
//! A connection counts all its bytes. What is a request's own is the difference between two
//! moments, which HTTP/1 allows to be told; the frames of HTTP/2 requests are mixed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// How many bytes went either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// From the peer.
    pub received: u64,
    /// To the peer.
    pub sent: u64,
}

/// The bytes of one connection; only its own task writes them.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
}

/// The bytes of one request.
#[derive(Debug, Default)]
pub struct Wire {
    downstream: OnceLock<Bytes>,
    upstream: Mutex<Upstream>,
}

#[derive(Debug, Default)]
struct Upstream {
    /// Of earlier tries.
    done: Bytes,
    /// The connection that carries it, and what that had carried before.
    running: Option<(Arc<Counters>, Bytes)>,
    unknown: bool,
}

/// What a connection carries until this is dropped belongs to the request.
#[derive(Debug)]
pub struct Share {
    wire: Arc<Wire>,
    connection: Arc<Counters>,
}

impl Bytes {
    /// What has come to be since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            received: self.received.saturating_sub(before.received),
            sent: self.sent.saturating_sub(before.sent),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            sent: self.sent + other.sent,
        }
    }
}

impl Counters {
    /// So many bytes came.
    pub fn received(&self, n: usize) {
        self.received
            .store(self.received.load(Relaxed) + n as u64, Relaxed);
    }

    /// So many bytes went.
    pub fn sent(&self, n: usize) {
        self.sent.store(self.sent.load(Relaxed) + n as u64, Relaxed);
    }

    fn now(&self) -> Bytes {
        Bytes {
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
        }
    }
}

impl Wire {
    /// Says what it was on the client's side.
    pub fn set_downstream(&self, bytes: Bytes) {
        let _ = self.downstream.set(bytes);
    }

    /// What it was on the client's side, where that is known.
    pub fn downstream(&self) -> Option<Bytes> {
        self.downstream.get().copied()
    }

    /// A connection to an endpoint begins to carry the request.
    pub fn begin(self: &Arc<Self>, connection: &Arc<Counters>) -> Share {
        let mut upstream = self.upstream();
        upstream.done = upstream.total();
        upstream.running = Some((Arc::clone(connection), connection.now()));
        Share {
            wire: Arc::clone(self),
            connection: Arc::clone(connection),
        }
    }

    /// A connection carries it together with others.
    pub fn lose_upstream(&self) {
        self.upstream().unknown = true;
    }

    /// What all its tries were together, where that is known.
    pub fn to_upstreams(&self) -> Option<Bytes> {
        let upstream = self.upstream();
        (!upstream.unknown).then(|| upstream.total())
    }

    fn upstream(&self) -> MutexGuard<'_, Upstream> {
        self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream {
    fn total(&self) -> Bytes {
        match &self.running {
            Some((connection, before)) => self.done.plus(connection.now().since(*before)),
            None => self.done,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut upstream = self.wire.upstream();
        let running = upstream.running.as_ref();
        if running.is_some_and(|(connection, _)| Arc::ptr_eq(connection, &self.connection)) {
            upstream.done = upstream.total();
            upstream.running = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request has the bytes of all its tries, and none that came before or after it.
    #[test]
    fn a_request_has_its_own_share_of_each_connection() {
        let (first, second) = (Arc::<Counters>::default(), Arc::<Counters>::default());
        let wire = Arc::<Wire>::default();
        first.sent(100);
        let share = wire.begin(&first);
        first.sent(7);
        first.received(3);
        drop(share);
        first.sent(50);
        let share = wire.begin(&second);
        second.sent(1);
        let told = wire.to_upstreams();
        let (received, sent) = (3, 8);
        assert_eq!(told, Some(Bytes { received, sent }));
        wire.lose_upstream();
        drop(share);
        assert_eq!(wire.to_upstreams(), None);
    }
}
