//! Whether the connections of one listener on one worker should come to an end.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// One flag per worker and listener: asking costs a load of memory that no other worker
/// touches, which is why connections do not watch the process's signal themselves.
#[derive(Debug, Default)]
pub(crate) struct Draining {
    level: AtomicU8,
    waiting: Arc<Notify>,
}

/// How soon connections should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    /// With the next answer. A connection that waits for a request is left alone: the client
    /// may be sending one just now, which would fail.
    Gently = 1,
    /// As soon as nothing is under way.
    Soon = 2,
}

impl Draining {
    /// Asks all connections to end as soon as nothing is under way on them.
    pub(crate) fn start(&self) {
        self.ask(Level::Soon);
    }

    /// Asks all connections to end with their next answer.
    pub(crate) fn start_gently(&self) {
        self.ask(Level::Gently);
    }

    fn ask(&self, level: Level) {
        self.level.fetch_max(level as u8, Relaxed);
        self.waiting.notify_waiters();
    }

    /// Whether either was asked.
    pub(crate) fn is_on(&self) -> bool {
        self.has_reached(Level::Gently)
    }

    /// Whether this or more was asked.
    pub(crate) fn has_reached(&self, level: Level) -> bool {
        self.level.load(Relaxed) >= level as u8
    }

    /// Resolves when it is asked, or at once if it was. For tasks that await nothing else in
    /// hand-written code: nothing is allocated.
    pub(crate) async fn is_asked(&self) {
        let mut notified = pin!(self.waiting.notified());
        let mut waits: Option<Waker> = None;
        poll_fn(|cx| {
            if self.is_on() {
                return Poll::Ready(());
            }
            // Whoever waits already is not put in line again, which would take a lock at each turn
            // of the task.
            if waits
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                return Poll::Pending;
            }
            waits = Some(cx.waker().clone());
            notified.as_mut().poll(cx)
        })
        .await;
    }

    /// Resolves when this or more is asked, or at once if it was.
    pub(crate) fn reached(self: &Arc<Self>, level: Level) -> Started {
        Started {
            draining: Arc::clone(self),
            level,
            notified: None,
        }
    }
}

/// See [`Draining::reached`].
#[derive(Debug)]
pub(crate) struct Started {
    draining: Arc<Draining>,
    level: Level,
    notified: Option<Pin<Box<OwnedNotified>>>,
}

impl Started {
    /// As a future's `poll`.
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let waiting = &this.draining.waiting;
        loop {
            let notified = this
                .notified
                .get_or_insert_with(|| Box::pin(Arc::clone(waiting).notified_owned()));
            let is_told = notified.as_mut().poll(cx).is_ready();
            if this.draining.has_reached(this.level) {
                this.notified = None;
                return Poll::Ready(());
            }
            if !is_told {
                return Poll::Pending;
            }
            // Less was asked than is waited for.
            this.notified = None;
        }
    }
}
