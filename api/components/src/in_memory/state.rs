//! State in a table.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tandem_api_contract::{
    Error,
    state::{
        Capabilities, Concurrency, Delete, Get, Operation, Set, StateStore, Ttl, Value,
        condition::{Condition, Current},
    },
};
use tokio::time::Instant;

use super::lock;

/// After so many writes, what has expired is swept out.
const SWEEP: u64 = 1_024;

#[derive(Default)]
pub(super) struct State(Mutex<Table>);

#[derive(Default)]
struct Table {
    entries: HashMap<String, Entry>,
    /// The last version given out. One counter for all keys: a key that is removed and written
    /// again does not get a version that it had.
    version: u64,
}

#[derive(Clone)]
struct Entry {
    data: Bytes,
    current: Current,
    expires: Option<Instant>,
}

#[async_trait]
impl StateStore for State {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            transactional: true,
            etag: true,
            ttl: true,
            bulk_get: true,
        }
    }

    async fn get(&self, get: Get<'_>) -> Result<Option<Value>, Error> {
        let mut table = lock(&self.0);
        Ok(table.live(get.key).map(|entry| Value {
            data: entry.data.clone(),
            etag: Some(entry.current.version.to_string()),
        }))
    }

    async fn set(&self, set: Set) -> Result<(), Error> {
        lock(&self.0).set(set)
    }

    async fn delete(&self, delete: Delete) -> Result<(), Error> {
        lock(&self.0).delete(&delete)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), Error> {
        let mut table = lock(&self.0);
        let mut undo = Vec::with_capacity(operations.len());
        for operation in operations {
            let key = match &operation {
                Operation::Set(set) => set.key.clone(),
                Operation::Delete(delete) => delete.key.clone(),
            };
            undo.push((key.clone(), table.entries.get(&key).cloned()));
            let done = match operation {
                Operation::Set(set) => table.set(set),
                Operation::Delete(delete) => table.delete(&delete),
            };
            if let Err(error) = done {
                for (key, before) in undo.into_iter().rev() {
                    match before {
                        Some(entry) => table.entries.insert(key, entry),
                        None => table.entries.remove(&key),
                    };
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Table {
    fn live(&mut self, key: &str) -> Option<&Entry> {
        let expired = self
            .entries
            .get(key)?
            .expires
            .is_some_and(|at| at <= Instant::now());
        if expired {
            self.entries.remove(key);
        }
        self.entries.get(key)
    }

    fn set(&mut self, set: Set) -> Result<(), Error> {
        let condition = Condition::of_set(set.etag.as_deref(), set.concurrency)?;
        let before = self.live(&set.key).cloned();
        if !condition.holds(before.as_ref().map(|entry| entry.current)) {
            return Err(Error::etag_mismatch(&set.key));
        }
        self.version += 1;
        if self.version.is_multiple_of(SWEEP) {
            let now = Instant::now();
            self.entries
                .retain(|_, entry| entry.expires.is_none_or(|at| at > now));
        }
        let entry = Entry {
            data: set.value,
            current: Current {
                version: self.version,
                first_write: set.concurrency == Concurrency::FirstWrite
                    || before
                        .as_ref()
                        .is_some_and(|entry| entry.current.first_write),
            },
            expires: match set.ttl {
                Ttl::Unchanged => before.and_then(|entry| entry.expires),
                Ttl::Never => None,
                Ttl::After(ttl) => Instant::now().checked_add(ttl),
            },
        };
        self.entries.insert(set.key, entry);
        Ok(())
    }

    fn delete(&mut self, delete: &Delete) -> Result<(), Error> {
        let condition = Condition::of_delete(delete.etag.as_deref(), delete.concurrency)?;
        if !condition.holds(self.live(&delete.key).map(|entry| entry.current)) {
            return Err(Error::etag_mismatch(&delete.key));
        }
        self.entries.remove(&delete.key);
        Ok(())
    }
}
