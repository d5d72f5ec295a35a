use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
    },
};

use async_trait::async_trait;

use super::*;
use crate::{Kind, key::KeyPrefix};

#[derive(Default)]
struct Counter {
    last: AtomicI64,
    down: AtomicBool,
}

#[async_trait]
impl Sequencer for Counter {
    async fn next_id(&self, key: &str) -> Result<i64, Error> {
        self.segment(key, 1).await.map(|segment| segment.first)
    }

    async fn segment(&self, _: &str, size: u32) -> Result<Segment, Error> {
        if self.down.load(SeqCst) {
            return Err(Error::unavailable("down"));
        }
        let first = self.last.fetch_add(size.into(), SeqCst) + 1;
        Ok(Segment {
            first,
            last: first + i64::from(size) - 1,
        })
    }
}

fn store(counter: Arc<Counter>) -> Store {
    Store::new(KeyPrefix::default(), counter, Arc::new(Buffers::new()))
}

/// Layotto's clients expect 1, 2, 3 … of a fresh sequence.
#[tokio::test]
async fn weak_ids_start_at_one_and_cost_one_round_trip_a_segment() {
    let counter = Arc::new(Counter::default());
    let store = store(counter.clone());
    for expected in 1..=100 {
        assert_eq!(store.next_id("k", Increment::Weak).await.unwrap(), expected);
    }
    assert_eq!(counter.last.load(SeqCst), i64::from(SEGMENT));
}

#[tokio::test]
async fn weak_ids_stay_unique_across_segments_and_callers() {
    let store = store(Arc::default());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..4_000 {
                ids.push(store.next_id("k", Increment::Weak).await.unwrap());
                tokio::task::yield_now().await;
            }
            ids
        });
    }
    let ids: BTreeSet<i64> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(ids.len(), 32_000);
}

#[tokio::test]
async fn weak_ids_outlive_a_short_outage_and_then_say_why_not() {
    let counter = Arc::new(Counter::default());
    let store = store(counter.clone());
    store.next_id("k", Increment::Weak).await.unwrap();
    counter.down.store(true, SeqCst);
    assert_eq!(store.next_id("k", Increment::Weak).await.unwrap(), 2);
    let error = store.next_id("other", Increment::Weak).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    counter.down.store(false, SeqCst);
    store.next_id("other", Increment::Weak).await.unwrap();
}
