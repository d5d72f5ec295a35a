//! State: values under keys, with versions (etags), expiry and transactions.
//!
//! The rules hold for every back-end, so that an application can change it:
//!
//! - An etag is the decimal version of a value; it grows with every write. Absent, `""` and `"0"`
//!   are no condition. See [`condition`] for who wins when.
//! - A write without [`Ttl`] leaves the expiry of its key as it is.
//! - [`StateStore::set_all`] and [`StateStore::delete_all`] go in order and stop at the first
//!   error; [`StateStore::transact`] applies everything or nothing.

mod bulk;
pub mod condition;
mod store;
mod ttl;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::{store::Store, ttl::Ttl};
use crate::{Error, Metadata};

/// Which of two writers wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concurrency {
    /// The caller did not say.
    #[default]
    Unspecified,
    /// The first: a write without etag may only create.
    FirstWrite,
    /// The last: etags are ignored.
    LastWrite,
}

/// When an operation counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// The caller did not say: as the back-end sees fit.
    #[default]
    Unspecified,
    /// When one replica has it.
    Eventual,
    /// When the replicas have it, as far as the back-end can tell.
    Strong,
}

/// A read.
#[derive(Debug, Clone, Copy)]
pub struct Get<'a> {
    /// The key.
    pub key: &'a str,
    /// Whether a replica may answer.
    pub consistency: Consistency,
    /// What the caller added.
    pub metadata: &'a Metadata,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The bytes that were saved.
    pub data: Bytes,
    /// The version; `None` if the back-end holds something without one (a plain Redis string).
    pub etag: Option<String>,
}

impl Value {
    /// How many bytes it is.
    pub fn size(&self) -> usize {
        self.data.len() + self.etag.as_ref().map_or(0, String::len)
    }
}

/// A write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    /// The key.
    pub key: String,
    /// The bytes.
    pub value: Bytes,
    /// The version that the caller expects.
    pub etag: Option<String>,
    /// Which of two writers wins.
    pub concurrency: Concurrency,
    /// When the write counts as done.
    pub consistency: Consistency,
    /// When the key expires.
    pub ttl: Ttl,
    /// What the caller added. `ttlInSeconds` is in `ttl` already.
    pub metadata: Metadata,
}

/// A removal. Removing what is not there is no error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delete {
    /// The key.
    pub key: String,
    /// The version that the caller expects.
    pub etag: Option<String>,
    /// Which of two writers wins.
    pub concurrency: Concurrency,
    /// When the removal counts as done.
    pub consistency: Consistency,
    /// What the caller added.
    pub metadata: Metadata,
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Write.
    Set(Set),
    /// Remove.
    Delete(Delete),
}

/// One key of a bulk read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key as the caller wrote it.
    pub key: String,
    /// What it holds, or why that could not be read.
    pub outcome: Result<Option<Value>, Error>,
}

/// What a store can do. What is not said here, every store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// [`StateStore::transact`] works.
    pub transactional: bool,
    /// Versions are kept and compared.
    pub etag: bool,
    /// Keys can expire.
    pub ttl: bool,
    /// A bulk read takes one round trip.
    pub bulk_get: bool,
}

/// A back-end of state. Keys arrive with their prefix.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// What this store can do.
    fn capabilities(&self) -> Capabilities;

    /// Reads a key; `None` if it is absent or expired.
    async fn get(&self, get: Get<'_>) -> Result<Option<Value>, Error>;

    /// Writes a key.
    async fn set(&self, set: Set) -> Result<(), Error>;

    /// Removes a key.
    async fn delete(&self, delete: Delete) -> Result<(), Error>;

    /// Reads keys; the answers are in the order of the keys. Reading ends with the first value that
    /// takes the sum of their [sizes](Value::size) over `room`: then there are fewer answers than
    /// keys, and no more than one value too much was held.
    async fn get_all(
        &self,
        keys: &[String],
        consistency: Consistency,
        metadata: &Metadata,
        mut room: usize,
    ) -> Vec<Result<Option<Value>, Error>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            let get = Get {
                key,
                consistency,
                metadata,
            };
            let answer = self.get(get).await;
            let size = match &answer {
                Ok(Some(value)) => value.size(),
                Ok(None) | Err(_) => 0,
            };
            answers.push(answer);
            match room.checked_sub(size) {
                Some(left) => room = left,
                None => break,
            }
        }
        answers
    }

    /// Writes keys in order, up to the first error.
    async fn set_all(&self, sets: Vec<Set>) -> Result<(), Error> {
        for set in sets {
            self.set(set).await?;
        }
        Ok(())
    }

    /// Removes keys in order, up to the first error.
    async fn delete_all(&self, deletes: Vec<Delete>) -> Result<(), Error> {
        for delete in deletes {
            self.delete(delete).await?;
        }
        Ok(())
    }

    /// Applies all operations in order, or none of them. Later operations see earlier ones.
    async fn transact(&self, operations: Vec<Operation>) -> Result<(), Error>;
}
