//! State in the table `state`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use sqlx::{Row as _, SqliteConnection};
use tandem_api_contract::{
    Error,
    state::{
        Capabilities, Concurrency, Delete, Get, Operation, Set, StateStore, Ttl, Value,
        condition::{Condition, Current},
    },
};

use super::{
    after,
    database::{Database, refused},
    many::write_all,
    now,
};

pub(super) struct State {
    store: Arc<str>,
    database: Arc<Database>,
}

impl State {
    pub(super) fn new(store: Arc<str>, database: Arc<Database>) -> Self {
        Self { store, database }
    }
}

#[async_trait]
impl StateStore for State {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            transactional: true,
            etag: true,
            ttl: true,
            bulk_get: false,
        }
    }

    async fn get(&self, get: Get<'_>) -> Result<Option<Value>, Error> {
        let row = sqlx::query(
            "SELECT data, version FROM state \
             WHERE store = ? AND key = ? AND (expires IS NULL OR expires > ?)",
        )
        .bind(&*self.store)
        .bind(get.key)
        .bind(now())
        .fetch_optional(&mut *self.database.reader().await)
        .await
        .map_err(refused)?;
        Ok(row.map(|row| Value {
            data: Bytes::from(row.get::<Vec<u8>, _>(0)),
            etag: Some(row.get::<i64, _>(1).to_string()),
        }))
    }

    async fn set(&self, set: Set) -> Result<(), Error> {
        let store = self.store.clone();
        self.database
            .write(move |connection| async move { write(connection, &store, set).await }.boxed())
            .await
    }

    async fn delete(&self, delete: Delete) -> Result<(), Error> {
        let store = self.store.clone();
        self.database
            .write(move |connection| {
                async move { remove(connection, &store, delete).await }.boxed()
            })
            .await
    }

    async fn set_all(&self, sets: Vec<Set>) -> Result<(), Error> {
        let store = self.store.clone();
        self.database
            .write(move |connection| {
                async move {
                    // The first error ends the job, and leaves what was written before it: that
                    // is what `set_all` promises. The error travels inside the answer, since a
                    // job that fails must have undone everything.
                    Ok(write_all(connection, &store, sets).await)
                }
                .boxed()
            })
            .await?
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), Error> {
        let store = self.store.clone();
        self.database
            .write(move |connection| {
                async move {
                    command(connection, "SAVEPOINT operations").await?;
                    if let Err(error) = apply(connection, &store, operations).await {
                        command(connection, "ROLLBACK TO operations").await?;
                        command(connection, "RELEASE operations").await?;
                        return Err(error);
                    }
                    command(connection, "RELEASE operations").await
                }
                .boxed()
            })
            .await
    }
}

/// Applies operations in order, up to the first error.
async fn apply(
    connection: &mut SqliteConnection,
    store: &str,
    operations: Vec<Operation>,
) -> Result<(), Error> {
    let mut sets = Vec::new();
    for operation in operations {
        match operation {
            Operation::Set(set) => sets.push(set),
            Operation::Delete(delete) => {
                write_all(connection, store, std::mem::take(&mut sets)).await?;
                remove(connection, store, delete).await?;
            }
        }
    }
    write_all(connection, store, sets).await
}

pub(super) async fn command(
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<(), Error> {
    sqlx::query(sql)
        .execute(connection)
        .await
        .map(drop)
        .map_err(refused)
}

/// What is known about a key that has not expired, and when it will.
async fn current(
    connection: &mut SqliteConnection,
    store: &str,
    key: &str,
) -> Result<Option<(Current, Option<i64>)>, Error> {
    let row = sqlx::query(
        "SELECT version, first_write, expires FROM state \
         WHERE store = ? AND key = ? AND (expires IS NULL OR expires > ?)",
    )
    .bind(store)
    .bind(key)
    .bind(now())
    .fetch_optional(connection)
    .await
    .map_err(refused)?;
    Ok(row.map(|row| {
        let version = u64::try_from(row.get::<i64, _>(0)).unwrap_or_default();
        (
            Current {
                version,
                first_write: row.get(1),
            },
            row.get(2),
        )
    }))
}

/// Writes one key, if it may be written.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    store: &str,
    set: Set,
) -> Result<(), Error> {
    let condition = Condition::of_set(set.etag.as_deref(), set.concurrency)?;
    let before = current(connection, store, &set.key).await?;
    let known = before.map(|(current, _)| current);
    if !condition.holds(known) {
        return Err(Error::etag_mismatch(&set.key));
    }
    // A new key starts with the time, so that a key which is removed and written again does not
    // get a version that it had.
    let version = match known {
        Some(current) => i64::try_from(current.version).unwrap_or_default() + 1,
        None => now(),
    };
    let first_write = set.concurrency == Concurrency::FirstWrite
        || known.is_some_and(|current| current.first_write);
    let expires = match set.ttl {
        Ttl::Unchanged => before.and_then(|(_, expires)| expires),
        Ttl::Never => None,
        Ttl::After(ttl) => Some(after(ttl)),
    };
    sqlx::query(
        "INSERT INTO state (store, key, data, version, first_write, expires) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (store, key) DO UPDATE SET \
         data = excluded.data, version = excluded.version, \
         first_write = excluded.first_write, expires = excluded.expires",
    )
    .bind(store)
    .bind(&set.key)
    .bind(&set.value[..])
    .bind(version)
    .bind(first_write)
    .bind(expires)
    .execute(connection)
    .await
    .map_err(refused)?;
    Ok(())
}

async fn remove(
    connection: &mut SqliteConnection,
    store: &str,
    delete: Delete,
) -> Result<(), Error> {
    let condition = Condition::of_delete(delete.etag.as_deref(), delete.concurrency)?;
    if condition != Condition::Always {
        let known = current(connection, store, &delete.key).await?;
        if !condition.holds(known.map(|(current, _)| current)) {
            return Err(Error::etag_mismatch(&delete.key));
        }
    }
    sqlx::query("DELETE FROM state WHERE store = ? AND key = ?")
        .bind(store)
        .bind(&delete.key)
        .execute(connection)
        .await
        .map_err(refused)?;
    Ok(())
}
