//! State as Dapr's Redis store keeps it: a hash of `data`, `version` and, once written with
//! first-write, `first-write`. Plain strings are read too.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Script, ScriptInvocation};
use tandem_api_contract::{
    Error, Metadata,
    state::{
        Capabilities, Concurrency, Consistency, Delete, Get, Operation, Set, StateStore, Ttl,
        Value, condition::Condition,
    },
};

use super::link::{Failure, Link};

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("state.lua")));
static BULK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("bulk.lua")));

/// How long a strongly consistent write waits for replicas, in milliseconds.
const REPLICAS: u32 = 1_000;

pub(super) struct State {
    link: Arc<Link>,
    /// The expiry of writes that say nothing about it.
    ttl: Ttl,
}

impl State {
    pub(super) fn new(link: Arc<Link>, ttl: Option<i64>) -> Self {
        Self {
            link,
            ttl: ttl.map_or(Ttl::Unchanged, Ttl::from_seconds),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<Value>, Error> {
        let mut command = redis::cmd("HMGET");
        command.arg(key).arg("data").arg("version");
        match self.link.ask_raw(&command).await {
            Ok(answer) => self.value(answer),
            Err(Failure::Redis(error)) if error.code() == Some("WRONGTYPE") => {
                let answer = self.link.ask(redis::cmd("GET").arg(key)).await?;
                Ok(bytes(answer).map(|data| Value { data, etag: None }))
            }
            Err(failure) => Err(self.link.explain(&failure)),
        }
    }

    fn value(&self, answer: redis::Value) -> Result<Option<Value>, Error> {
        let redis::Value::Array(fields) = answer else {
            return Err(self
                .link
                .server()
                .refused("HMGET was not answered with an array"));
        };
        let mut fields = fields.into_iter();
        let data = fields.next().and_then(bytes);
        let version = fields.next().and_then(bytes);
        let etag = version.and_then(|version| String::from_utf8(version.into()).ok());
        Ok(match (data, etag) {
            (None, None) => None,
            (data, etag) => Some(Value {
                data: data.unwrap_or_default(),
                etag,
            }),
        })
    }

    /// One answer of `bulk.lua`.
    fn entry(&self, answer: redis::Value) -> Result<Option<Value>, Error> {
        let redis::Value::Array(fields) = answer else {
            return Err(self.link.server().refused("a script did not answer lists"));
        };
        match fields.get(2) {
            Some(redis::Value::BulkString(why)) => {
                Err(self.link.server().refused(&String::from_utf8_lossy(why)))
            }
            _ => self.value(redis::Value::Array(fields)),
        }
    }

    async fn apply(&self, mode: &str, operations: Vec<Operation>) -> Result<(), Error> {
        if operations.is_empty() {
            return Ok(());
        }
        let mut script = SCRIPT.prepare_invoke();
        script.arg(mode);
        let mut strong = false;
        for operation in &operations {
            strong |= match operation {
                Operation::Set(set) => self.push_set(&mut script, set)?,
                Operation::Delete(delete) => push_delete(&mut script, delete)?,
            };
        }
        let failed: usize = self.link.run(&script).await?;
        if strong {
            self.wait().await?;
        }
        match failed
            .checked_sub(1)
            .and_then(|index| operations.get(index))
        {
            None => Ok(()),
            Some(Operation::Set(Set { key, .. }) | Operation::Delete(Delete { key, .. })) => {
                Err(Error::etag_mismatch(key))
            }
        }
    }

    /// Waits until the replicas have what was written, as far as they answer in time.
    async fn wait(&self) -> Result<(), Error> {
        match self.link.server().replicas() {
            0 => Ok(()),
            replicas => self
                .link
                .tell(redis::cmd("WAIT").arg(replicas).arg(REPLICAS))
                .await
                .map(drop),
        }
    }

    fn push_set(&self, script: &mut ScriptInvocation<'_>, set: &Set) -> Result<bool, Error> {
        let condition = Condition::of_set(set.etag.as_deref(), set.concurrency)?;
        script.key(&set.key).arg("set");
        push_condition(script, condition);
        script.arg(&set.value[..]);
        script.arg(u8::from(set.concurrency == Concurrency::FirstWrite));
        match if set.ttl == Ttl::Unchanged {
            self.ttl
        } else {
            set.ttl
        } {
            Ttl::Unchanged => script.arg(""),
            Ttl::Never => script.arg(0),
            Ttl::After(ttl) => script.arg(ttl.as_secs().max(1)),
        };
        Ok(set.consistency == Consistency::Strong)
    }
}

fn push_delete(script: &mut ScriptInvocation<'_>, delete: &Delete) -> Result<bool, Error> {
    let condition = Condition::of_delete(delete.etag.as_deref(), delete.concurrency)?;
    script.key(&delete.key).arg("del");
    push_condition(script, condition);
    script.arg("").arg(0).arg("");
    Ok(delete.consistency == Consistency::Strong)
}

fn push_condition(script: &mut ScriptInvocation<'_>, condition: Condition) {
    let (name, version) = match condition {
        Condition::Always => ("any", 0),
        Condition::Absent => ("absent", 0),
        Condition::Version(version) => ("version", version),
        Condition::NotFirstWrite => ("free", 0),
    };
    script.arg(name).arg(version);
}

fn bytes(value: redis::Value) -> Option<Bytes> {
    match value {
        redis::Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
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
        self.read(get.key).await
    }

    async fn set(&self, set: Set) -> Result<(), Error> {
        self.apply("all", vec![Operation::Set(set)]).await
    }

    async fn delete(&self, delete: Delete) -> Result<(), Error> {
        self.apply("all", vec![Operation::Delete(delete)]).await
    }

    async fn get_all(
        &self,
        keys: &[String],
        _: Consistency,
        _: &Metadata,
        room: usize,
    ) -> Vec<Result<Option<Value>, Error>> {
        if keys.is_empty() {
            return Vec::new();
        }
        // One round trip, and the server stops where the room ends: pipelined reads would all
        // have been answered by the time the first is looked at.
        let mut script = BULK.prepare_invoke();
        script.key(keys).arg(room);
        match self.link.ask_script(&script).await {
            Ok(redis::Value::Array(entries)) => {
                entries.into_iter().map(|entry| self.entry(entry)).collect()
            }
            Ok(_) => {
                let error = self.link.server().refused("a script did not answer a list");
                vec![Err(error); keys.len()]
            }
            Err(error) => vec![Err(error); keys.len()],
        }
    }

    async fn set_all(&self, sets: Vec<Set>) -> Result<(), Error> {
        self.apply("prefix", sets.into_iter().map(Operation::Set).collect())
            .await
    }

    async fn delete_all(&self, deletes: Vec<Delete>) -> Result<(), Error> {
        self.apply(
            "prefix",
            deletes.into_iter().map(Operation::Delete).collect(),
        )
        .await
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), Error> {
        self.apply("all", operations).await
    }
}
