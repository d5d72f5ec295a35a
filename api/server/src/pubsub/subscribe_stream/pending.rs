//! Events that went out and wait for their verdict.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tandem_api_contract::pubsub::Verdict;
use tokio::sync::oneshot;

/// Those of one stream. There are never more of them than the component hands out at once, so a
/// list is enough; an id may be there twice, since publishers choose ids.
#[derive(Default)]
pub(super) struct Pending {
    next: AtomicU64,
    events: Mutex<Vec<Event>>,
}

struct Event {
    number: u64,
    id: String,
    verdict: oneshot::Sender<Verdict>,
}

/// One event that waits; it is forgotten when this is dropped.
pub(super) struct Waiting<'a> {
    pending: &'a Pending,
    number: u64,
    verdict: oneshot::Receiver<Verdict>,
}

impl Pending {
    /// Expects a verdict for an event that goes out now.
    pub(super) fn expect(&self, id: &str) -> Waiting<'_> {
        let number = self.next.fetch_add(1, Relaxed);
        let (sender, verdict) = oneshot::channel();
        self.lock().push(Event {
            number,
            id: id.to_owned(),
            verdict: sender,
        });
        Waiting {
            pending: self,
            number,
            verdict,
        }
    }

    /// Gives the verdict for the oldest event of that id.
    pub(super) fn settle(&self, id: &str, verdict: Verdict) {
        let mut events = self.lock();
        match events.iter().position(|event| event.id == id) {
            Some(at) => {
                let _ = events.remove(at).verdict.send(verdict);
            }
            None => tracing::debug!(id, "a verdict for an event that does not wait for one"),
        }
    }

    /// Nobody gives a verdict any more.
    pub(super) fn abandon(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting<'_> {
    /// The verdict, once it is there or nobody can give it any more.
    pub(super) async fn verdict(mut self) -> Verdict {
        (&mut self.verdict).await.unwrap_or(Verdict::Unanswered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let number = self.number;
        self.pending.lock().retain(|event| event.number != number);
    }
}
