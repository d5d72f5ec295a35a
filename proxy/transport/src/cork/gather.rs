//! When what is held is sent: once everything that has arrived meanwhile is dealt with.
//!
//! A write costs more than all else that a small request needs: the kernel takes it through the
//! whole of TCP and wakes the peer. Whoever is fast writes often, since little arrives while it
//! works. So before anything is sent the sockets are asked once more, which costs next to
//! nothing, and what they have brought goes out with it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use tokio::runtime::{Handle, Id};

/// How often the sockets are asked for more, at most: nobody waits for the others for ever.
const ROUNDS: usize = 2;

/// A connection that holds something back.
pub(super) trait Held: Send + Sync {
    /// Sends it, in the name of the connection's task.
    fn send(&self);
}

/// The connections of one worker that hold something back.
#[derive(Default)]
pub(super) struct Gather {
    state: Mutex<State>,
    /// How often one of the connections has read something.
    reads: AtomicUsize,
}

#[derive(Default)]
struct State {
    held: Vec<Arc<dyn Held>>,
    /// Of the task that sends, while it has nothing to do.
    waker: Option<Waker>,
}

thread_local! {
    /// A thread may run one runtime after another, or within another.
    static GATHER: RefCell<Option<(Id, Weak<Gather>)>> = const { RefCell::new(None) };
}

impl Gather {
    /// That of the runtime which this is called in; starts its task if there is none.
    pub(super) fn current() -> Arc<Self> {
        let runtime = Handle::current();
        GATHER.with_borrow_mut(|known| {
            if let Some((id, gather)) = known
                && *id == runtime.id()
                && let Some(gather) = gather.upgrade()
            {
                return gather;
            }
            let gather = Arc::new(Self::default());
            *known = Some((runtime.id(), Arc::downgrade(&gather)));
            runtime.spawn(Arc::clone(&gather).run());
            gather
        })
    }

    /// Something was read: an answer to it may follow soon.
    pub(super) fn has_read(&self) {
        self.reads.fetch_add(1, Relaxed);
    }

    /// Has this connection's bytes sent soon.
    pub(super) fn add(&self, held: Arc<dyn Held>) {
        let mut state = self.state();
        state.held.push(held);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Never contended: a worker has one thread.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        let mut sending = Vec::new();
        loop {
            poll_fn(|cx| {
                let mut state = self.state();
                if state.held.is_empty() {
                    state.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
            for _ in 0..ROUNDS {
                let before = self.reads.load(Relaxed);
                // Comes back after all that is ready now, and after the sockets were asked.
                tokio::task::yield_now().await;
                if self.reads.load(Relaxed) == before {
                    break;
                }
            }
            std::mem::swap(&mut self.state().held, &mut sending);
            for held in sending.drain(..) {
                held.send();
            }
        }
    }
}
