//! Locks in a table.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use async_trait::async_trait;
use tandem_api_contract::{
    Error,
    lock::{LockStore, Outcome},
};
use tokio::time::Instant;

use super::lock;

/// The table is swept when it has doubled since the last time, and not before it has this size.
const SWEEP: usize = 1_024;

#[derive(Default)]
pub(super) struct Locks(Mutex<Table>);

#[derive(Default)]
struct Table {
    held: HashMap<String, Held>,
    sweep_at: usize,
}

struct Held {
    owner: String,
    until: Instant,
}

#[async_trait]
impl LockStore for Locks {
    async fn try_lock(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let mut table = lock(&self.0);
        let now = Instant::now();
        if table.held.get(key).is_some_and(|held| held.until > now) {
            return Ok(false);
        }
        if table.held.len() >= table.sweep_at.max(SWEEP) {
            table.held.retain(|_, held| held.until > now);
            table.sweep_at = table.held.len() * 2;
        }
        table.held.insert(
            key.to_owned(),
            Held {
                owner: owner.to_owned(),
                until: now + ttl,
            },
        );
        Ok(true)
    }

    async fn unlock(&self, key: &str, owner: &str) -> Result<Outcome, Error> {
        let mut table = lock(&self.0);
        let outcome = table.check(key, owner);
        if outcome == Outcome::Done {
            table.held.remove(key);
        }
        Ok(outcome)
    }

    async fn keep_alive(&self, key: &str, owner: &str, ttl: Duration) -> Result<Outcome, Error> {
        let mut table = lock(&self.0);
        let outcome = table.check(key, owner);
        if outcome == Outcome::Done
            && let Some(held) = table.held.get_mut(key)
        {
            held.until = Instant::now() + ttl;
        }
        Ok(outcome)
    }
}

impl Table {
    fn check(&self, key: &str, owner: &str) -> Outcome {
        match self
            .held
            .get(key)
            .filter(|held| held.until > Instant::now())
        {
            None => Outcome::NotHeld,
            Some(held) if held.owner == owner => Outcome::Done,
            Some(_) => Outcome::HeldByOther,
        }
    }
}
