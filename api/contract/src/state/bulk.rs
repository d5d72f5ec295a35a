//! Bulk reads: each key once, and no more data than the caller has room for.

use std::collections::HashMap;

use super::{Consistency, Item, Store, Value};
use crate::{Error, Metadata};

/// Keys that a back-end is asked for at once. The next are asked for when these have fitted.
const STEP: usize = 256;

/// The least that an item takes beside its texts: the tags and lengths of protobuf.
const OVERHEAD: usize = 4;

/// What the back-end said about a key, and how many items of the answer will repeat it.
struct Read {
    outcome: Option<Result<Option<Value>, Error>>,
    times: usize,
}

impl Store {
    /// Reads keys; one item for each, in their order. A key that is named several times is read
    /// once. A key that contains `||` is an error of its own item.
    ///
    /// The steps are taken one after the other, so that a caller's limit of parallel reads holds
    /// whatever it is.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) as soon as it is certain that the items will
    /// exceed `room` bytes.
    pub async fn get_all(
        &self,
        keys: Vec<String>,
        consistency: Consistency,
        metadata: &Metadata,
        room: usize,
    ) -> Result<Vec<Item>, Error> {
        let mut room = Room::new(room);
        for key in &keys {
            room.take(key.len() + OVERHEAD)?;
        }
        let mut reads: HashMap<&str, Read> = HashMap::with_capacity(keys.len());
        let mut wanted = Vec::new();
        for key in &keys {
            let read = reads.entry(key).or_insert_with(|| {
                wanted.push(key.as_str());
                Read {
                    outcome: None,
                    times: 0,
                }
            });
            read.times += 1;
        }
        for step in wanted.chunks(STEP) {
            self.read_step(step, consistency, metadata, &mut reads, &mut room)
                .await?;
        }
        let mut items = Vec::with_capacity(keys.len());
        for key in &keys {
            let outcome = reads
                .get(key.as_str())
                .and_then(|read| read.outcome.clone());
            items.push(outcome.unwrap_or_else(|| {
                let message = "the back-end answered fewer keys than it was asked for";
                Err(Error::internal(message))
            }));
        }
        let items = keys.into_iter().zip(items);
        Ok(items.map(|(key, outcome)| Item { key, outcome }).collect())
    }

    async fn read_step(
        &self,
        step: &[&str],
        consistency: Consistency,
        metadata: &Metadata,
        reads: &mut HashMap<&str, Read>,
        room: &mut Room,
    ) -> Result<(), Error> {
        let mut asked = Vec::with_capacity(step.len());
        let mut stored = Vec::with_capacity(step.len());
        for key in step {
            match self.keys.stored(key) {
                Ok(name) => {
                    asked.push(*key);
                    stored.push(name.into_owned());
                }
                Err(error) => room.note(reads, key, Err(error))?,
            }
        }
        let answers = self
            .client
            .get_all(&stored, consistency, metadata, room.left)
            .await;
        for (key, outcome) in asked.into_iter().zip(answers) {
            room.note(reads, key, outcome)?;
        }
        Ok(())
    }
}

/// What the items may still take.
struct Room {
    all: usize,
    left: usize,
}

impl Room {
    fn new(all: usize) -> Self {
        Self { all, left: all }
    }

    fn take(&mut self, size: usize) -> Result<(), Error> {
        let left = self.left.checked_sub(size);
        self.left = left.ok_or_else(|| Error::too_large(self.all))?;
        Ok(())
    }

    fn note(
        &mut self,
        reads: &mut HashMap<&str, Read>,
        key: &str,
        outcome: Result<Option<Value>, Error>,
    ) -> Result<(), Error> {
        let size = match &outcome {
            Ok(None) => 0,
            Ok(Some(value)) => value.size(),
            Err(error) => error.message().len(),
        };
        if let Some(read) = reads.get_mut(key) {
            self.take(size.saturating_mul(read.times))?;
            read.outcome = Some(outcome);
        }
        Ok(())
    }
}
