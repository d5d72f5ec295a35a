//! Distributed locks: taken without waiting, held by an owner, gone when they expire.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{Error, key::KeyPrefix};

/// What became of a lock that its owner wanted to release or prolong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Nobody holds the lock; it may have expired.
    NotHeld,
    /// Somebody else holds the lock.
    HeldByOther,
}

/// A back-end of locks. Keys arrive with their prefix.
#[async_trait]
pub trait LockStore: Send + Sync + 'static {
    /// Takes the lock for `owner` if it is free; `false` if it is held, even by `owner`.
    async fn try_lock(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Error>;

    /// Releases the lock if `owner` holds it.
    async fn unlock(&self, key: &str, owner: &str) -> Result<Outcome, Error>;

    /// Lets the lock expire `ttl` from now if `owner` holds it.
    async fn keep_alive(&self, key: &str, owner: &str, ttl: Duration) -> Result<Outcome, Error>;
}

/// A named lock store as API servers hold it: applies the key prefix.
#[derive(Clone)]
pub struct Store {
    keys: KeyPrefix,
    client: Arc<dyn LockStore>,
}

impl Store {
    /// A store over a worker's client.
    pub fn new(keys: KeyPrefix, client: Arc<dyn LockStore>) -> Self {
        Self { keys, client }
    }

    /// As [`LockStore::try_lock`].
    ///
    /// # Errors
    /// Those of the back-end, and a resource that contains `||`.
    pub async fn try_lock(
        &self,
        resource: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, Error> {
        self.client
            .try_lock(&self.keys.stored(resource)?, owner, ttl)
            .await
    }

    /// As [`LockStore::unlock`].
    ///
    /// # Errors
    /// As [`Self::try_lock`].
    pub async fn unlock(&self, resource: &str, owner: &str) -> Result<Outcome, Error> {
        self.client
            .unlock(&self.keys.stored(resource)?, owner)
            .await
    }

    /// As [`LockStore::keep_alive`].
    ///
    /// # Errors
    /// As [`Self::try_lock`].
    pub async fn keep_alive(
        &self,
        resource: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Outcome, Error> {
        self.client
            .keep_alive(&self.keys.stored(resource)?, owner, ttl)
            .await
    }
}
