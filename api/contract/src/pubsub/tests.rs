use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use tokio::sync::Semaphore;

use super::Subscription;

/// What is taken when it is let, and is dealt with when it is let.
struct Source {
    taken: AtomicU32,
    done: AtomicU32,
    may_take: Semaphore,
    may_end: Semaphore,
}

impl Source {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicU32::new(0),
            done: AtomicU32::new(0),
            may_take: Semaphore::new(0),
            may_end: Semaphore::new(0),
        })
    }

    fn subscribe(self: &Arc<Self>) -> Subscription {
        let source = self.clone();
        Subscription::spawn(async move |hands| {
            loop {
                source.may_take.acquire().await.unwrap().forget();
                source.taken.fetch_add(1, Relaxed);
                let source = source.clone();
                hands.spawn(async move {
                    source.may_end.acquire().await.unwrap().forget();
                    source.done.fetch_add(1, Relaxed);
                });
            }
        })
    }

    async fn until_taken(&self, count: u32) {
        while self.taken.load(Relaxed) < count {
            tokio::task::yield_now().await;
        }
    }
}

/// The end of a subscription takes nothing out of the hands of those who deal with it.
#[tokio::test]
async fn what_is_in_hand_outlives_the_subscription() {
    let source = Source::new();
    let subscription = source.subscribe();
    source.may_take.add_permits(1);
    source.until_taken(1).await;
    drop(subscription);
    source.may_take.add_permits(1);
    source.may_end.add_permits(1);
    while source.done.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.taken.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn finishing_waits_for_what_is_in_hand_and_takes_no_more() {
    let source = Source::new();
    let subscription = source.subscribe();
    source.may_take.add_permits(2);
    source.until_taken(2).await;
    let finished = tokio::spawn(subscription.finish());
    source.may_end.add_permits(1);
    while source.done.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    source.may_take.add_permits(1);
    assert!(!finished.is_finished());
    source.may_end.add_permits(1);
    finished.await.unwrap();
    assert_eq!(
        (source.taken.load(Relaxed), source.done.load(Relaxed)),
        (2, 2)
    );
}
