//! When what is held is sent: once everything that has arrived meanwhile is dealt with.
//!
//! A write costs more than all else that a small request needs: the kernel takes it through the
//! whole of TCP and wakes the peer. Whoever is fast writes often, since little arrives while it
//! works. So before anything is sent the sockets are asked once more, which costs little beside a
//! write, and what they have brought goes out with it. Where they never bring anything, because
//! little is under way, they are asked only now and then.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use tokio::runtime::{Handle, Id};

/// How often the sockets are asked for more, at most: nobody waits for the others for ever.
const ROUNDS: usize = 2;

/// After so many questions in vain only one in as many is asked: at a fifth that are not in vain,
/// which is what a busy connection has, this happens to one in forty.
const PATIENCE: u32 = 16;

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

    /// Asks the sockets, and again while they bring something; whether they brought anything.
    async fn ask(&self) -> bool {
        let at_first = self.reads.load(Relaxed);
        let mut last = at_first;
        for _ in 0..ROUNDS {
            // Comes back after all that is ready now, and after the sockets were asked.
            tokio::task::yield_now().await;
            let now = self.reads.load(Relaxed);
            if now == last {
                break;
            }
            last = now;
        }
        last != at_first
    }

    async fn run(self: Arc<Self>) {
        let mut sending = Vec::new();
        let mut hope = Hope::default();
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
            if hope.asks() {
                hope.learn(self.ask().await);
            }
            std::mem::swap(&mut self.state().held, &mut sending);
            for held in sending.drain(..) {
                held.send();
            }
        }
    }
}

/// Whether it is worth asking the sockets, by what came of it so far.
#[derive(Debug, Default)]
struct Hope {
    in_vain: u32,
    skipped: u32,
}

impl Hope {
    fn asks(&mut self) -> bool {
        if self.in_vain < PATIENCE {
            return true;
        }
        self.skipped += 1;
        if self.skipped < PATIENCE {
            return false;
        }
        self.skipped = 0;
        true
    }

    fn learn(&mut self, brought: bool) {
        self.in_vain = match brought {
            true => 0,
            false => self.in_vain.saturating_add(1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_never_bring_anything_are_asked_now_and_then() {
        let mut hope = Hope::default();
        let asked = |hope: &mut Hope, times: u32| -> u32 {
            (0..times)
                .map(|_| {
                    let asks = hope.asks();
                    if asks {
                        hope.learn(false);
                    }
                    u32::from(asks)
                })
                .sum()
        };
        assert_eq!(asked(&mut hope, PATIENCE), PATIENCE);
        assert_eq!(asked(&mut hope, 4 * PATIENCE), 4);
        hope.learn(true);
        assert_eq!(asked(&mut hope, PATIENCE), PATIENCE);
    }
}
