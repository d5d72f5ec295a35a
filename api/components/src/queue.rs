//! The queue of one consumer group: its subscribers compete for what is in it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::in_memory::lock;

/// Items to deal with, some of them only later.
pub(crate) struct Queue<T> {
    items: Mutex<Items<T>>,
    changed: Notify,
}

struct Items<T> {
    ready: VecDeque<T>,
    /// Due times; the number tells apart what is due together.
    later: BTreeMap<(Instant, u64), T>,
    serial: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let items = Items {
            ready: VecDeque::new(),
            later: BTreeMap::new(),
            serial: 0,
        };
        Self {
            items: Mutex::new(items),
            changed: Notify::new(),
        }
    }
}

impl<T> Queue<T> {
    pub(crate) fn len(&self) -> usize {
        let items = lock(&self.items);
        items.ready.len() + items.later.len()
    }

    pub(crate) fn push(&self, item: T) {
        lock(&self.items).ready.push_back(item);
        self.changed.notify_one();
    }

    /// Drops what has waited longest.
    pub(crate) fn drop_oldest(&self) {
        let mut items = lock(&self.items);
        if items.later.pop_first().is_none() {
            items.ready.pop_front();
        }
    }

    /// Wakes a subscriber although nothing was pushed: there is something to fetch.
    #[cfg(feature = "embedded")]
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// What is there to deal with now.
    pub(crate) fn try_claim(self: &Arc<Self>) -> Option<Claim<T>> {
        let mut items = lock(&self.items);
        let due = items
            .later
            .first_key_value()
            .filter(|((due, _), _)| *due <= Instant::now());
        let item = match due.map(|(key, _)| *key) {
            Some(key) => items.later.remove(&key),
            None => items.ready.pop_front(),
        }?;
        let more = !items.ready.is_empty() || !items.later.is_empty();
        drop(items);
        if more {
            // Wake-ups do not add up: hand on to the next subscriber.
            self.changed.notify_one();
        }
        Some(Claim {
            queue: self.clone(),
            item: Some(item),
        })
    }

    /// Waits until something may be there.
    pub(crate) async fn changed(&self) {
        let due = lock(&self.items)
            .later
            .first_key_value()
            .map(|((due, _), _)| *due);
        match due {
            None => self.changed.notified().await,
            Some(due) => {
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(due) => {}
                }
            }
        }
    }
}

/// An item in somebody's hands. Dropped, it goes back to the front of the queue.
pub(crate) struct Claim<T> {
    queue: Arc<Queue<T>>,
    item: Option<T>,
}

impl<T> Claim<T> {
    pub(crate) fn item(&self) -> Option<&T> {
        self.item.as_ref()
    }

    #[cfg(feature = "embedded")]
    pub(crate) fn item_mut(&mut self) -> Option<&mut T> {
        self.item.as_mut()
    }

    /// Dealt with.
    pub(crate) fn done(mut self) {
        self.item = None;
    }

    /// To be dealt with again, after a delay.
    pub(crate) fn retry(mut self, delay: Duration) {
        if let Some(item) = self.item.take() {
            let mut items = lock(&self.queue.items);
            items.serial += 1;
            let key = (Instant::now() + delay, items.serial);
            items.later.insert(key, item);
            drop(items);
            self.queue.changed.notify_one();
        }
    }
}

impl<T> Drop for Claim<T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            lock(&self.queue.items).ready.push_front(item);
            self.queue.changed.notify_one();
        }
    }
}
