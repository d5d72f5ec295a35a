//! Publish and subscribe on the tables `event`, `consumer` and `delivery`.
//!
//! A message is stored once, with one delivery for each group there is. An acknowledgement removes
//! the delivery, and the message with the last one. A group that subscribes to a topic for the
//! first time gets what is stored then. Who is dealing with which message is known to the process
//! only: it alone has the file, so whatever is stored when it starts is to be delivered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use sqlx::{Row as _, sqlite::SqliteRow};
use tandem_api_contract::{
    Error, Metadata,
    backoff::Backoff,
    pubsub::{self, Handler, Message, PubSub, Publish, Subscribe, Subscription, Verdict},
};
use tokio::sync::Semaphore;

use super::database::{Database, refused};
use crate::queue::{Claim, Queue};

/// How many messages are fetched at once.
const FETCH: i64 = 100;

/// How a pub/sub component behaves.
pub(super) struct Settings {
    /// The consumer group, if a subscription names no other.
    pub(super) group: String,
    /// How long after a failure a message is delivered again.
    pub(super) retry: Duration,
    /// How long a message may be without an answer; zero: for ever.
    pub(super) limit: Duration,
    /// How many messages a subscription handles at once.
    pub(super) concurrency: i64,
    /// How many messages a topic keeps at most; none means all that are not dealt with.
    pub(super) keep: Option<i64>,
}

/// The groups of one topic, by name.
type Groups = HashMap<String, Arc<Group>>;

pub(super) struct Bus {
    store: Arc<str>,
    database: Arc<Database>,
    settings: Settings,
    /// The groups that have subscribers, by topic and name.
    groups: Mutex<HashMap<String, Groups>>,
}

impl Bus {
    pub(super) fn new(store: Arc<str>, database: Arc<Database>, settings: Settings) -> Self {
        Self {
            store,
            database,
            settings,
            groups: Mutex::default(),
        }
    }

    async fn group(&self, topic: &str, name: &str) -> Result<Arc<Group>, Error> {
        let (store, topic_of, name_of) = (self.store.clone(), topic.to_owned(), name.to_owned());
        let id = self
            .database
            .write(move |connection| {
                async move { register(connection, &store, &topic_of, &name_of).await }.boxed()
            })
            .await?;
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let group = groups
            .entry(topic.into())
            .or_default()
            .entry(name.into())
            .or_insert_with(|| {
                Arc::new(Group {
                    id,
                    queue: Arc::default(),
                    fetched: tokio::sync::Mutex::new(0),
                    database: self.database.clone(),
                })
            });
        Ok(group.clone())
    }
}

#[async_trait]
impl PubSub for Bus {
    async fn publish(&self, publish: Publish) -> Result<(), Error> {
        let (store, keep) = (self.store.clone(), self.settings.keep);
        let topic = publish.topic.clone();
        self.database
            .write(move |connection| {
                async move { insert(connection, &store, publish, keep).await }.boxed()
            })
            .await?;
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for group in groups.get(&topic).into_iter().flat_map(HashMap::values) {
            group.queue.wake();
        }
        Ok(())
    }

    async fn subscribe(
        &self,
        subscribe: Subscribe,
        handler: Arc<dyn Handler>,
    ) -> Result<Subscription, Error> {
        let name = subscribe
            .metadata
            .get("consumerID")
            .unwrap_or(&self.settings.group);
        let group = self.group(&subscribe.topic, name).await?;
        let (retry, limit) = (self.settings.retry, self.settings.limit);
        let permits = usize::try_from(self.settings.concurrency).unwrap_or(1);
        let permits = Arc::new(Semaphore::new(permits));
        Ok(Subscription::spawn(async move |hands| {
            loop {
                let Ok(permit) = permits.clone().acquire_owned().await else {
                    return;
                };
                let claim = group.next().await;
                let (handler, group) = (handler.clone(), group.clone());
                hands.spawn(async move {
                    group.deal_with(claim, &*handler, retry, limit).await;
                    drop(permit);
                });
            }
        }))
    }
}

/// A message in memory, by its id. What waits to be delivered again is read again then, so that an
/// application that refuses everything does not fill the memory.
struct Fetched {
    id: i64,
    message: Option<Box<Message>>,
}

/// A consumer group that has, or had, subscribers in this process.
struct Group {
    id: i64,
    queue: Arc<Queue<Fetched>>,
    /// The last message fetched into the queue.
    fetched: tokio::sync::Mutex<i64>,
    database: Arc<Database>,
}

impl Group {
    async fn next(&self) -> Claim<Fetched> {
        let mut backoff = Backoff::default();
        loop {
            if let Some(claim) = self.queue.try_claim() {
                return claim;
            }
            match self.fetch().await {
                Ok(0) => self.queue.changed().await,
                Ok(_) => backoff.reset(),
                Err(error) => {
                    tracing::warn!(%error, "cannot fetch messages");
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Fetches what was published since the last time; answers how much that was.
    async fn fetch(&self) -> Result<usize, Error> {
        let mut fetched = self.fetched.lock().await;
        let rows = sqlx::query(
            "SELECT id, topic, data, metadata FROM delivery JOIN event ON event.id = delivery.event \
             WHERE delivery.consumer = ? AND delivery.event > ? ORDER BY delivery.event LIMIT ?",
        )
        .bind(self.id)
        .bind(*fetched)
        .bind(FETCH)
        .fetch_all(&mut *self.database.reader().await)
        .await
        .map_err(refused)?;
        for row in &rows {
            let id = row.get(0);
            *fetched = id;
            self.queue.push(Fetched {
                id,
                message: Some(Box::new(message_of(row))),
            });
        }
        Ok(rows.len())
    }

    /// The message of a claim; `None` if it is not kept any more.
    async fn message(&self, fetched: &mut Fetched) -> Result<Option<Message>, Error> {
        if let Some(message) = fetched.message.take() {
            return Ok(Some(*message));
        }
        let row = sqlx::query(
            "SELECT id, topic, data, metadata FROM delivery JOIN event ON event.id = delivery.event \
             WHERE delivery.consumer = ? AND delivery.event = ?",
        )
        .bind(self.id)
        .bind(fetched.id)
        .fetch_optional(&mut *self.database.reader().await)
        .await
        .map_err(refused)?;
        Ok(row.as_ref().map(message_of))
    }

    async fn deal_with(
        &self,
        mut claim: Claim<Fetched>,
        handler: &dyn Handler,
        retry: Duration,
        limit: Duration,
    ) {
        let Some(fetched) = claim.item_mut() else {
            return;
        };
        let event = fetched.id;
        let message = match self.message(fetched).await {
            Ok(Some(message)) => message,
            Ok(None) => return claim.done(),
            Err(error) => {
                tracing::warn!(%error, "cannot read a message: it comes again");
                return claim.retry(retry);
            }
        };
        match pubsub::answer(handler, message, limit).await {
            Verdict::Retry => claim.retry(retry),
            Verdict::Unanswered => drop(claim),
            Verdict::Ack => match self.acknowledge(event).await {
                Ok(()) => claim.done(),
                Err(error) => {
                    tracing::warn!(%error, "cannot acknowledge a message: it comes again");
                    claim.retry(retry);
                }
            },
        }
    }

    async fn acknowledge(&self, event: i64) -> Result<(), Error> {
        let consumer = self.id;
        self.database
            .write(move |connection| {
                async move {
                    sqlx::query("DELETE FROM delivery WHERE consumer = ? AND event = ?")
                        .bind(consumer)
                        .bind(event)
                        .execute(&mut *connection)
                        .await
                        .map_err(refused)?;
                    sqlx::query(
                        "DELETE FROM event WHERE id = ? \
                         AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = event.id)",
                    )
                    .bind(event)
                    .execute(connection)
                    .await
                    .map_err(refused)?;
                    Ok(())
                }
                .boxed()
            })
            .await
    }
}

/// A row of id, topic, data and metadata.
fn message_of(row: &SqliteRow) -> Message {
    let metadata: &str = row.get(3);
    Message {
        topic: row.get(1),
        data: Bytes::from(row.get::<Vec<u8>, _>(2)),
        metadata: serde_json::from_str(metadata).unwrap_or_default(),
    }
}

/// The group's id; a group that is new gets what is stored.
async fn register(
    connection: &mut sqlx::SqliteConnection,
    store: &str,
    topic: &str,
    name: &str,
) -> Result<i64, Error> {
    let created = sqlx::query_scalar(
        "INSERT INTO consumer (store, topic, name) VALUES (?, ?, ?) \
         ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(store)
    .bind(topic)
    .bind(name)
    .fetch_optional(&mut *connection)
    .await
    .map_err(refused)?;
    if let Some(id) = created {
        sqlx::query(
            "INSERT INTO delivery (consumer, event) \
             SELECT ?, id FROM event WHERE store = ? AND topic = ?",
        )
        .bind(id)
        .bind(store)
        .bind(topic)
        .execute(connection)
        .await
        .map_err(refused)?;
        return Ok(id);
    }
    sqlx::query_scalar("SELECT id FROM consumer WHERE store = ? AND topic = ? AND name = ?")
        .bind(store)
        .bind(topic)
        .bind(name)
        .fetch_one(connection)
        .await
        .map_err(refused)
}

async fn insert(
    connection: &mut sqlx::SqliteConnection,
    store: &str,
    publish: Publish,
    keep: Option<i64>,
) -> Result<(), Error> {
    let Publish {
        topic,
        data,
        metadata,
    } = publish;
    let metadata = text_of(&metadata);
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO event (store, topic, data, metadata) VALUES (?, ?, ?, ?) RETURNING id",
    )
    .bind(store)
    .bind(&topic)
    .bind(&data[..])
    .bind(metadata)
    .fetch_one(&mut *connection)
    .await
    .map_err(refused)?;
    sqlx::query(
        "INSERT INTO delivery (consumer, event) \
         SELECT id, ? FROM consumer WHERE store = ? AND topic = ?",
    )
    .bind(id)
    .bind(store)
    .bind(&topic)
    .execute(&mut *connection)
    .await
    .map_err(refused)?;
    match keep {
        Some(keep) if trims(keep) => trim(connection, store, &topic, keep).await,
        _ => Ok(()),
    }
}

/// Whether a publish trims its topic, which walks over all that is kept: at random one of as many
/// as are a hundredth of what is kept, so that about the right number is kept.
fn trims(keep: i64) -> bool {
    let every = keep / 100;
    every < 2 || rand::random_range(0..every) == 0
}

/// Removes what is more than is kept.
async fn trim(
    connection: &mut sqlx::SqliteConnection,
    store: &str,
    topic: &str,
    keep: i64,
) -> Result<(), Error> {
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM event WHERE store = ? AND topic = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
    )
    .bind(store)
    .bind(topic)
    .bind(keep)
    .fetch_optional(&mut *connection)
    .await
    .map_err(refused)?;
    let Some(last) = last else { return Ok(()) };
    for statement in [
        "DELETE FROM delivery WHERE event <= ?3 \
         AND consumer IN (SELECT id FROM consumer WHERE store = ?1 AND topic = ?2)",
        "DELETE FROM event WHERE store = ?1 AND topic = ?2 AND id <= ?3",
    ] {
        sqlx::query(statement)
            .bind(store)
            .bind(topic)
            .bind(last)
            .execute(&mut *connection)
            .await
            .map_err(refused)?;
    }
    Ok(())
}

fn text_of(metadata: &Metadata) -> String {
    if metadata.is_empty() {
        return String::from("{}");
    }
    serde_json::to_string(metadata).unwrap_or_else(|_| String::from("{}"))
}
