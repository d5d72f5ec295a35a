//! Weak ids without a round trip: segments reserved ahead, shared by the process.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Mutex;

use super::{Segment, Sequencer};
use crate::Error;

/// How many ids a segment has.
pub const SEGMENT: u32 = 10_000;
/// How many ids are left when the next segment is reserved.
const LOW: i64 = 1_000;
const SHARDS: usize = 64;
/// Sequences that one shard buffers at most: memory stays bounded whatever keys a caller invents.
const SEQUENCES_PER_SHARD: usize = 1_024;

/// The segments of all sequences of one component, shared by all workers. Reading takes no lock.
#[derive(Default)]
pub struct Buffers {
    hasher: RandomState,
    shards: Box<[Shard]>,
}

/// Copied when a sequence is used for the first time.
type Shard = ArcSwap<HashMap<Box<str>, Arc<Buffer>>>;

impl Buffers {
    /// No segments yet.
    pub fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self {
            hasher: RandomState::new(),
            shards,
        }
    }

    /// Draws an id out of the segment at hand, and reserves another one when it runs low.
    ///
    /// # Errors
    /// Those of the back-end, if there is no segment left.
    pub async fn draw(&self, sequencer: &Arc<dyn Sequencer>, key: &str) -> Result<i64, Error> {
        let Some(buffer) = self.buffer(key) else {
            return sequencer.next_id(key).await;
        };
        loop {
            let current = buffer.current.load_full();
            if let Some(reserve) = current {
                let id = reserve.next.fetch_add(1, Relaxed);
                if id == reserve.last - LOW {
                    let (sequencer, buffer) = (sequencer.clone(), buffer.clone());
                    let key: Box<str> = key.into();
                    // A failure is seen, and tried again, by whoever finds the segment empty.
                    tokio::spawn(async move { buffer.prefetch(&*sequencer, &key).await });
                }
                if id <= reserve.last {
                    return Ok(id);
                }
            }
            buffer.swap(&**sequencer, key).await?;
        }
    }

    fn buffer(&self, key: &str) -> Option<Arc<Buffer>> {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        if let Some(buffer) = shard.load().get(key) {
            return Some(buffer.clone());
        }
        shard.rcu(|known| {
            let mut known = HashMap::clone(known);
            if known.len() < SEQUENCES_PER_SHARD {
                known.entry(key.into()).or_default();
            }
            known
        });
        shard.load().get(key).cloned()
    }
}

#[derive(Default)]
struct Buffer {
    current: ArcSwapOption<Reserve>,
    /// The segment after the current one. Locked only to reserve and to swap.
    next: Mutex<Option<Segment>>,
}

struct Reserve {
    next: AtomicI64,
    last: i64,
}

impl Reserve {
    fn is_empty(&self) -> bool {
        self.next.load(Relaxed) > self.last
    }
}

impl Buffer {
    async fn prefetch(&self, sequencer: &dyn Sequencer, key: &str) {
        let mut next = self.next.lock().await;
        if next.is_none() {
            *next = sequencer.segment(key, SEGMENT).await.ok();
        }
    }

    async fn swap(&self, sequencer: &dyn Sequencer, key: &str) -> Result<(), Error> {
        let mut next = self.next.lock().await;
        // Somebody else may have swapped while we waited.
        if self
            .current
            .load()
            .as_ref()
            .is_some_and(|reserve| !reserve.is_empty())
        {
            return Ok(());
        }
        let segment = match next.take() {
            Some(segment) => segment,
            None => sequencer.segment(key, SEGMENT).await?,
        };
        let reserve = Reserve {
            next: AtomicI64::new(segment.first),
            last: segment.last,
        };
        self.current.store(Some(Arc::new(reserve)));
        Ok(())
    }
}
