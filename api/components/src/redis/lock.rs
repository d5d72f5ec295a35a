//! Locks as strings: the value is the owner, the key expires.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use redis::Script;
use tandem_api_contract::{
    Error,
    lock::{LockStore, Outcome},
};

use super::link::Link;

/// KEYS: the lock. ARGV: the owner; how long it may be held from now in milliseconds, 0 releases.
/// Answers 1 if done, 0 if nobody holds it, -1 if somebody else does.
static HELD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local holder = redis.call('GET', KEYS[1])
         if not holder then return 0 end
         if holder ~= ARGV[1] then return -1 end
         if ARGV[2] == '0' then
           redis.call('DEL', KEYS[1])
         else
           redis.call('PEXPIRE', KEYS[1], ARGV[2])
         end
         return 1",
    )
});

pub(super) struct Locks(Arc<Link>);

impl Locks {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self(link)
    }

    async fn if_held(&self, key: &str, owner: &str, ttl: u64) -> Result<Outcome, Error> {
        let mut script = HELD.prepare_invoke();
        script.key(key).arg(owner).arg(ttl);
        Ok(match self.0.run::<i64>(&script).await? {
            1 => Outcome::Done,
            0 => Outcome::NotHeld,
            _ => Outcome::HeldByOther,
        })
    }
}

#[async_trait]
impl LockStore for Locks {
    async fn try_lock(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let mut command = redis::cmd("SET");
        command
            .arg(key)
            .arg(owner)
            .arg("NX")
            .arg("PX")
            .arg(milliseconds(ttl));
        Ok(self.0.tell(&command).await? != redis::Value::Nil)
    }

    async fn unlock(&self, key: &str, owner: &str) -> Result<Outcome, Error> {
        self.if_held(key, owner, 0).await
    }

    async fn keep_alive(&self, key: &str, owner: &str, ttl: Duration) -> Result<Outcome, Error> {
        self.if_held(key, owner, milliseconds(ttl)).await
    }
}

fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
