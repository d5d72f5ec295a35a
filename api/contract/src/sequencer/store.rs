//! A named sequencer as API servers hold it.

use std::sync::Arc;

use super::{Buffers, Increment, Sequencer};
use crate::{Error, key::KeyPrefix};

/// Applies the key prefix, and draws weak ids out of the process's segments.
#[derive(Clone)]
pub struct Store {
    keys: KeyPrefix,
    client: Arc<dyn Sequencer>,
    buffers: Arc<Buffers>,
}

impl Store {
    /// A store over a worker's client and the segments that all workers share.
    pub fn new(keys: KeyPrefix, client: Arc<dyn Sequencer>, buffers: Arc<Buffers>) -> Self {
        Self {
            keys,
            client,
            buffers,
        }
    }

    /// Draws the next id of the sequence `key`.
    ///
    /// # Errors
    /// Those of the back-end, and a key that contains `||`.
    pub async fn next_id(&self, key: &str, increment: Increment) -> Result<i64, Error> {
        let key = self.keys.stored(key)?;
        match increment {
            Increment::Strong => self.client.next_id(&key).await,
            Increment::Weak => self.buffers.draw(&self.client, &key).await,
        }
    }
}
