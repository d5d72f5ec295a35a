//! The reader of one stream for one consumer group.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use redis::{
    RedisResult,
    streams::{StreamClaimReply, StreamId, StreamPendingCountReply, StreamReadReply},
};
use tandem_api_contract::{
    Metadata,
    backoff::Backoff,
    pubsub::{self, Handler, Hands, Message, Verdict},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::in_memory::lock;

use super::{
    link::Link,
    pubsub::Settings,
    server::{Connection, Server},
};

/// How long the server holds back its answer when there is nothing to read.
const BLOCK: Duration = Duration::from_secs(2);

/// How many pending messages are looked at in one go.
const PAGE: usize = 100;

pub(super) struct Reader {
    topic: String,
    group: String,
    /// For acknowledgements; reading has a connection of its own, since it blocks.
    link: Arc<Link>,
    settings: Arc<Settings>,
    handler: Arc<dyn Handler>,
    hands: Hands,
    /// Messages in this process's hands: looking for pending ones must not take them twice.
    held: Arc<Mutex<HashSet<String>>>,
    /// One for each message that may be taken, those that wait for a turn included.
    depth: Arc<Semaphore>,
    /// One for each message that may be handled at once.
    turns: Arc<Semaphore>,
}

impl Drop for Reader {
    /// What waits for its turn is not begun any more.
    fn drop(&mut self) {
        self.turns.close();
    }
}

impl Reader {
    pub(super) fn new(
        topic: String,
        group: String,
        link: Arc<Link>,
        settings: Arc<Settings>,
        handler: Arc<dyn Handler>,
        hands: Hands,
    ) -> Self {
        let depth = Arc::new(Semaphore::new(settings.queue_depth));
        let turns = Arc::new(Semaphore::new(settings.concurrency));
        Self {
            topic,
            group,
            link,
            settings,
            handler,
            hands,
            held: Arc::default(),
            depth,
            turns,
        }
    }

    /// Reads for ever; connects again when the connection is lost.
    pub(super) async fn run(mut self) {
        let mut backoff: Backoff = self.server().backoff();
        loop {
            let failed = match self.server().connect_to_wait(BLOCK).await {
                Ok(connection) => self.read(connection, &mut backoff).await.err(),
                Err(error) => Some(error),
            };
            if let Some(error) = failed {
                let topic = &*self.topic;
                tracing::warn!(topic, %error, "cannot read the stream: trying again");
                tokio::time::sleep(backoff.next_delay()).await;
            }
        }
    }

    fn server(&self) -> &Arc<Server> {
        self.link.server()
    }

    async fn read(&mut self, connection: Connection, backoff: &mut Backoff) -> RedisResult<()> {
        let mut pipeline = connection.pipeline;
        let created: RedisResult<()> = redis::cmd("XGROUP")
            .arg("CREATE")
            .arg(&self.topic)
            .arg(&self.group)
            .arg("0")
            .arg("MKSTREAM")
            .query_async(&mut pipeline)
            .await;
        if let Err(error) = created
            && error.code() != Some("BUSYGROUP")
        {
            return Err(error);
        }
        let mut look = Instant::now();
        loop {
            if self.redelivers() && Instant::now() >= look {
                self.take_pending(&mut pipeline).await?;
                look = Instant::now() + self.settings.redeliver_interval;
            }
            let room = self.room().await;
            let mut block = BLOCK;
            if self.redelivers() {
                // Zero would block for ever.
                block = block
                    .min(look - Instant::now())
                    .max(Duration::from_millis(1));
            }
            let reply: Option<StreamReadReply> = redis::cmd("XREADGROUP")
                .arg("GROUP")
                .arg(&self.group)
                .arg(&self.group)
                .arg("COUNT")
                .arg(room)
                .arg("BLOCK")
                .arg(u64::try_from(block.as_millis()).unwrap_or(1))
                .arg("STREAMS")
                .arg(&self.topic)
                .arg(">")
                .query_async(&mut pipeline)
                .await?;
            backoff.reset();
            for entry in reply
                .into_iter()
                .flat_map(|reply| reply.keys)
                .flat_map(|key| key.ids)
            {
                self.hand_over(entry);
            }
        }
    }

    fn redelivers(&self) -> bool {
        !self.settings.redeliver_interval.is_zero() && !self.settings.processing_timeout.is_zero()
    }

    /// How many more messages may be taken; waits until it is one.
    async fn room(&self) -> usize {
        let one = self.depth.acquire().await;
        self.depth.available_permits() + usize::from(one.is_ok())
    }

    /// Takes over what nobody acknowledged in time: after a failure here, or a crash elsewhere.
    async fn take_pending(
        &mut self,
        pipeline: &mut redis::aio::MultiplexedConnection,
    ) -> RedisResult<()> {
        let timeout = self.settings.processing_timeout;
        let mut from = String::from("-");
        loop {
            let pending: StreamPendingCountReply = redis::cmd("XPENDING")
                .arg(&self.topic)
                .arg(&self.group)
                .arg(&from)
                .arg("+")
                .arg(PAGE)
                .query_async(pipeline)
                .await?;
            let Some(last) = pending.ids.last().map(|entry| entry.id.clone()) else {
                return Ok(());
            };
            let more = pending.ids.len() == PAGE;
            let mut late = Vec::new();
            for entry in pending.ids {
                let idle =
                    Duration::from_millis(u64::try_from(entry.last_delivered_ms).unwrap_or(0));
                if idle >= timeout && !self.holds(&entry.id) {
                    late.push(entry.id);
                }
            }
            self.claim(pipeline, late).await?;
            if !more {
                return Ok(());
            }
            from = format!("({last}");
        }
    }

    async fn claim(
        &mut self,
        pipeline: &mut redis::aio::MultiplexedConnection,
        mut ids: Vec<String>,
    ) -> RedisResult<()> {
        while !ids.is_empty() {
            let room = self.room().await.min(ids.len());
            let mut command = redis::cmd("XCLAIM");
            let idle = u64::try_from(self.settings.processing_timeout.as_millis()).unwrap_or(0);
            command
                .arg(&self.topic)
                .arg(&self.group)
                .arg(&self.group)
                .arg(idle);
            let batch: Vec<String> = ids.drain(..room).collect();
            command.arg(&batch);
            let claimed: StreamClaimReply = command.query_async(pipeline).await?;
            for entry in claimed.ids {
                self.hand_over(entry);
            }
        }
        Ok(())
    }

    fn holds(&self, id: &str) -> bool {
        lock(&self.held).contains(id)
    }

    fn hand_over(&mut self, entry: StreamId) {
        let id = entry.id;
        // There is one: only as many were taken as there was room for.
        let Ok(room) = self.depth.clone().try_acquire_owned() else {
            return;
        };
        if !lock(&self.held).insert(id.clone()) {
            return;
        }
        let data: Option<Vec<u8>> = entry
            .map
            .get("data")
            .and_then(|data| redis::from_redis_value_ref(data).ok());
        let message = data.map(|data| Message {
            topic: self.topic.clone(),
            data: data.into(),
            metadata: Metadata::new(),
        });
        let taken = Taken {
            id,
            topic: self.topic.clone(),
            group: self.group.clone(),
            link: self.link.clone(),
            held: self.held.clone(),
            _room: room,
        };
        let (turns, handler) = (self.turns.clone(), self.handler.clone());
        let limit = self.settings.processing_timeout;
        self.hands.spawn(async move {
            let Ok(_turn) = turns.acquire_owned().await else {
                return;
            };
            let verdict = match message {
                // What was not published by our kind cannot be handled, now or later.
                None => Verdict::Ack,
                Some(message) => pubsub::answer(&*handler, message, limit).await,
            };
            if verdict == Verdict::Ack {
                taken.acknowledge().await;
            }
        });
    }
}

/// A message in this process's hands. Without an acknowledgement the server's group has it pending.
struct Taken {
    id: String,
    topic: String,
    group: String,
    link: Arc<Link>,
    held: Arc<Mutex<HashSet<String>>>,
    _room: OwnedSemaphorePermit,
}

impl Taken {
    async fn acknowledge(&self) {
        let mut command = redis::cmd("XACK");
        command.arg(&self.topic).arg(&self.group).arg(&self.id);
        if let Err(error) = self.link.tell(&command).await {
            let topic = &*self.topic;
            tracing::warn!(topic, %error, "cannot acknowledge a message: it comes again");
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        lock(&self.held).remove(&self.id);
    }
}
