//! Locks in the table `lock`: they outlive the process, as locks elsewhere do.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use sqlx::SqliteConnection;
use tandem_api_contract::{
    Error,
    lock::{LockStore, Outcome},
};

use super::{
    after,
    database::{Database, refused},
    now,
};

pub(super) struct Locks {
    store: Arc<str>,
    database: Arc<Database>,
}

impl Locks {
    pub(super) fn new(store: Arc<str>, database: Arc<Database>) -> Self {
        Self { store, database }
    }

    /// Lets the lock expire at `expires` if `owner` holds it.
    async fn set_expiry(&self, key: &str, owner: &str, expires: i64) -> Result<Outcome, Error> {
        let (store, key, owner) = (self.store.clone(), key.to_owned(), owner.to_owned());
        self.database
            .write(move |connection| {
                async move {
                    let outcome = check(connection, &store, &key, &owner).await?;
                    if outcome == Outcome::Done {
                        sqlx::query("UPDATE lock SET expires = ? WHERE store = ? AND key = ?")
                            .bind(expires)
                            .bind(&*store)
                            .bind(&key)
                            .execute(connection)
                            .await
                            .map_err(refused)?;
                    }
                    Ok(outcome)
                }
                .boxed()
            })
            .await
    }
}

#[async_trait]
impl LockStore for Locks {
    async fn try_lock(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let (store, key, owner) = (self.store.clone(), key.to_owned(), owner.to_owned());
        self.database
            .write(move |connection| {
                async move {
                    let done = sqlx::query(
                        "INSERT INTO lock (store, key, owner, expires) VALUES (?, ?, ?, ?) \
                         ON CONFLICT (store, key) DO UPDATE SET \
                         owner = excluded.owner, expires = excluded.expires \
                         WHERE lock.expires <= ?",
                    )
                    .bind(&*store)
                    .bind(&key)
                    .bind(&owner)
                    .bind(after(ttl))
                    .bind(now())
                    .execute(connection)
                    .await
                    .map_err(refused)?;
                    Ok(done.rows_affected() == 1)
                }
                .boxed()
            })
            .await
    }

    async fn unlock(&self, key: &str, owner: &str) -> Result<Outcome, Error> {
        self.set_expiry(key, owner, 0).await
    }

    async fn keep_alive(&self, key: &str, owner: &str, ttl: Duration) -> Result<Outcome, Error> {
        self.set_expiry(key, owner, after(ttl)).await
    }
}

async fn check(
    connection: &mut SqliteConnection,
    store: &str,
    key: &str,
    owner: &str,
) -> Result<Outcome, Error> {
    let holder: Option<String> =
        sqlx::query_scalar("SELECT owner FROM lock WHERE store = ? AND key = ? AND expires > ?")
            .bind(store)
            .bind(key)
            .bind(now())
            .fetch_optional(connection)
            .await
            .map_err(refused)?;
    Ok(match holder {
        None => Outcome::NotHeld,
        Some(holder) if holder == owner => Outcome::Done,
        Some(_) => Outcome::HeldByOther,
    })
}
