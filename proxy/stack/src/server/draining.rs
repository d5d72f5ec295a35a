//! Whether the connections of one listener on one worker should come to an end.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// One flag per worker and listener: asking costs a load of memory that no other worker
/// touches, which is why connections do not watch the process's signal themselves.
#[derive(Debug, Default)]
pub(crate) struct Draining {
    flag: AtomicBool,
    waiting: Arc<Notify>,
}

impl Draining {
    /// Asks all connections to end when they next can.
    pub(crate) fn start(&self) {
        self.flag.store(true, Relaxed);
        self.waiting.notify_waiters();
    }

    /// Whether that was asked.
    pub(crate) fn is_on(&self) -> bool {
        self.flag.load(Relaxed)
    }

    /// Resolves when it is asked, or at once if it was. For tasks that await nothing else in
    /// hand-written code: nothing is allocated.
    pub(crate) async fn is_asked(&self) {
        let notified = self.waiting.notified();
        if !self.is_on() {
            notified.await;
        }
    }

    /// Resolves when it is asked, or at once if it was.
    pub(crate) fn started(self: &Arc<Self>) -> Started {
        Started {
            draining: Arc::clone(self),
            notified: None,
        }
    }
}

/// See [`Draining::started`].
#[derive(Debug)]
pub(crate) struct Started {
    draining: Arc<Draining>,
    notified: Option<Pin<Box<OwnedNotified>>>,
}

impl Started {
    /// As a future's `poll`.
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let waiting = &this.draining.waiting;
        let notified = this
            .notified
            .get_or_insert_with(|| Box::pin(Arc::clone(waiting).notified_owned()));
        if notified.as_mut().poll(cx).is_ready() || this.draining.is_on() {
            this.notified = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
