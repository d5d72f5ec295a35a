//! Sequences in a table.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use tandem_api_contract::{
    Error,
    sequencer::{Segment, Sequencer},
};

use super::lock;

/// The last id drawn, by key.
#[derive(Default)]
pub(super) struct Sequences(Mutex<HashMap<String, i64>>);

#[async_trait]
impl Sequencer for Sequences {
    async fn next_id(&self, key: &str) -> Result<i64, Error> {
        self.segment(key, 1).await.map(|segment| segment.first)
    }

    async fn segment(&self, key: &str, size: u32) -> Result<Segment, Error> {
        let mut table = lock(&self.0);
        let last = match table.get_mut(key) {
            Some(last) => last,
            None => table.entry(key.to_owned()).or_default(),
        };
        let first = *last + 1;
        *last += i64::from(size);
        Ok(Segment { first, last: *last })
    }
}
