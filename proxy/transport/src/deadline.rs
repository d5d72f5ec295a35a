//! A deadline that moves on often and passes rarely.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for a connection's changing deadlines.
///
/// Moving the deadline later (each request does that) only stores a number; the timer itself
/// is touched when it fires too early or when the deadline moves nearer. Nothing is allocated
/// until a deadline is first set.
#[derive(Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// No deadline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or clears it.
    pub fn set(&mut self, at: Option<Instant>) {
        self.at = at;
    }

    /// Sets it to `after` from now, or clears it.
    pub fn set_after(&mut self, after: Option<Duration>) {
        self.at = after.and_then(|after| Instant::now().checked_add(after));
    }

    /// Ready once it has passed; never if there is none.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        // A peer that keeps its task busy uses up the task's budget, without which no timer is
        // ever ready: that must not put off the moment when the peer is sent away.
        while pin!(unconstrained(sleep.as_mut())).poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A task that never has to wait has no budget left for timers.
    #[tokio::test(start_paused = true)]
    async fn it_passes_in_a_task_that_is_kept_busy() {
        let mut deadline = Deadline::new();
        deadline.set_after(Some(Duration::from_secs(10)));
        poll_fn(|cx| {
            assert!(deadline.poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::time::advance(Duration::from_secs(11)).await;
        poll_fn(|cx| {
            while pin!(tokio::task::coop::consume_budget())
                .poll(cx)
                .is_ready()
            {}
            assert!(deadline.poll(cx).is_ready());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_follows_moves_in_both_directions() {
        let start = Instant::now();
        let mut deadline = Deadline::new();
        deadline.set_after(Some(Duration::from_secs(10)));
        poll_fn(|cx| {
            assert!(deadline.poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        deadline.set(Some(start + Duration::from_secs(20)));
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 20);

        deadline.set(Some(start + Duration::from_secs(100)));
        poll_fn(|cx| {
            assert!(deadline.poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        deadline.set(Some(start + Duration::from_secs(30)));
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}
