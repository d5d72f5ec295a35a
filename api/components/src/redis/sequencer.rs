//! Sequences as counters.

use std::sync::Arc;

use async_trait::async_trait;
use tandem_api_contract::{
    Error,
    sequencer::{Segment, Sequencer},
};

use super::link::Link;

pub(super) struct Sequences(Arc<Link>);

impl Sequences {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self(link)
    }
}

#[async_trait]
impl Sequencer for Sequences {
    async fn next_id(&self, key: &str) -> Result<i64, Error> {
        self.segment(key, 1).await.map(|segment| segment.last)
    }

    async fn segment(&self, key: &str, size: u32) -> Result<Segment, Error> {
        let answer = self.0.tell(redis::cmd("INCRBY").arg(key).arg(size)).await?;
        let redis::Value::Int(last) = answer else {
            return Err(self
                .0
                .server()
                .refused("INCRBY was not answered with a number"));
        };
        Ok(Segment {
            first: last - i64::from(size) + 1,
            last,
        })
    }
}
