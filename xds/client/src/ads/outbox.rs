//! The requests that a stream has not carried yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::Stream;
use futures_util::stream::unfold;
use prost::Message;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Many more than there are types; a control plane that reads at all never gets there.
const MESSAGES: usize = 1024;
/// One request may name 100,000 resources.
const BYTES: usize = 64 << 20;

/// Queues requests without a wait, so that reading never waits for writing: a control plane may
/// write all that it has before it reads. One that never reads is noticed instead.
pub(super) struct Outbox<Q> {
    queue: UnboundedSender<(Q, usize)>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// The control plane does not read.
#[derive(Debug)]
pub(super) struct Full;

/// A queue and its other end.
pub(super) fn outbox<Q: Message + 'static>() -> (Outbox<Q>, impl Stream<Item = Q> + Send) {
    let (queue, requests) = unbounded_channel();
    let waiting = Arc::new(Waiting::default());
    let state = (requests, Arc::clone(&waiting));
    let outgoing = unfold(state, async |(mut requests, waiting)| {
        let requests_ref: &mut UnboundedReceiver<(Q, usize)> = &mut requests;
        let (request, bytes) = requests_ref.recv().await?;
        waiting.messages.fetch_sub(1, Ordering::Relaxed);
        waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some((request, (requests, waiting)))
    });
    (Outbox { queue, waiting }, outgoing)
}

impl<Q: Message> Outbox<Q> {
    /// Queues a request. On a stream that has ended it goes nowhere.
    pub(super) fn send(&self, request: Q) -> Result<(), Full> {
        let bytes = request.encoded_len();
        let messages = self.waiting.messages.fetch_add(1, Ordering::Relaxed);
        let before = self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        if messages >= MESSAGES || (messages > 0 && before + bytes > BYTES) {
            return Err(Full);
        }
        let _ = self.queue.send((request, bytes));
        Ok(())
    }
}
