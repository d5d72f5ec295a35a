//! Sequences: ids that increase.

mod buffer;
mod store;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

use crate::Error;

pub use self::{
    buffer::{Buffers, SEGMENT},
    store::Store,
};

/// How strictly ids must increase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Increment {
    /// Ids are unique and mostly increase: they may come out of a segment reserved before.
    #[default]
    Weak,
    /// Each id is greater than all that were drawn before, by anybody.
    Strong,
}

/// Reserved ids, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The first id.
    pub first: i64,
    /// The last id.
    pub last: i64,
}

/// A back-end of sequences. Keys arrive with their prefix. The first id of a sequence is 1.
#[async_trait]
pub trait Sequencer: Send + Sync + 'static {
    /// Draws one id.
    async fn next_id(&self, key: &str) -> Result<i64, Error>;

    /// Reserves `size` ids at once.
    async fn segment(&self, key: &str, size: u32) -> Result<Segment, Error>;
}
