//! A named state store as API servers hold it.

use std::sync::Arc;

use super::{Capabilities, Delete, Get, Operation, Set, StateStore, Value};
use crate::{Error, key::KeyPrefix};

/// Applies the key prefix, then calls the worker's client.
#[derive(Clone)]
pub struct Store {
    pub(super) keys: KeyPrefix,
    pub(super) client: Arc<dyn StateStore>,
}

impl Store {
    /// A store over a worker's client.
    pub fn new(keys: KeyPrefix, client: Arc<dyn StateStore>) -> Self {
        Self { keys, client }
    }

    /// What the back-end can do.
    pub fn capabilities(&self) -> Capabilities {
        self.client.capabilities()
    }

    /// As [`StateStore::get`].
    ///
    /// # Errors
    /// Those of the back-end, and a key that contains `||` (as in all that follow).
    pub async fn get(&self, get: Get<'_>) -> Result<Option<Value>, Error> {
        let key = self.keys.stored(get.key)?;
        self.client.get(Get { key: &key, ..get }).await
    }

    /// As [`StateStore::set_all`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn set_all(&self, mut sets: Vec<Set>) -> Result<(), Error> {
        for set in &mut sets {
            set.key = self.keys.stored_owned(std::mem::take(&mut set.key))?;
        }
        match <[Set; 1]>::try_from(sets) {
            Ok([set]) => self.client.set(set).await,
            Err(sets) => self.client.set_all(sets).await,
        }
    }

    /// As [`StateStore::delete`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn delete(&self, mut delete: Delete) -> Result<(), Error> {
        delete.key = self.keys.stored_owned(delete.key)?;
        self.client.delete(delete).await
    }

    /// As [`StateStore::delete_all`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn delete_all(&self, mut deletes: Vec<Delete>) -> Result<(), Error> {
        for delete in &mut deletes {
            delete.key = self.keys.stored_owned(std::mem::take(&mut delete.key))?;
        }
        self.client.delete_all(deletes).await
    }

    /// As [`StateStore::transact`].
    ///
    /// # Errors
    /// As [`Self::get`]; [`Kind::Unsupported`](crate::Kind::Unsupported) if the store is not
    /// transactional.
    pub async fn transact(&self, mut operations: Vec<Operation>) -> Result<(), Error> {
        for operation in &mut operations {
            let key = match operation {
                Operation::Set(set) => &mut set.key,
                Operation::Delete(delete) => &mut delete.key,
            };
            *key = self.keys.stored_owned(std::mem::take(key))?;
        }
        self.client.transact(operations).await
    }
}
