//! Publish and subscribe within the process. What is published to a topic goes to the groups that
//! have subscribed to it by then; each has a queue of its own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use tandem_api_contract::{
    Error,
    declaration::Context,
    options::Options,
    pubsub::{self, Handler, Message, PubSub, Publish, Subscribe, Subscription, Verdict},
};
use tokio::sync::Semaphore;

use super::lock;
use crate::queue::Queue;

/// What a group may leave lying. When it has subscribers, publishers are refused then; when it has
/// none, who may never come back, its oldest messages are dropped.
const QUEUE: usize = 100_000;

/// The groups of one topic, by name.
type Groups = HashMap<String, Arc<Group>>;

#[derive(Default)]
struct Group {
    queue: Arc<Queue<Message>>,
    subscribers: AtomicUsize,
}

/// A subscriber of a group, until it is dropped.
struct Present(Arc<Group>);

impl Present {
    fn new(group: Arc<Group>) -> Self {
        group.subscribers.fetch_add(1, Relaxed);
        Self(group)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.subscribers.fetch_sub(1, Relaxed);
    }
}

pub(super) struct Bus {
    group: String,
    retry: Duration,
    limit: Duration,
    concurrency: usize,
    topics: Mutex<HashMap<String, Groups>>,
}

impl Bus {
    /// Fields: `consumerID`, `redeliverInterval` (1 s), `processingTimeout` (60 s), `concurrency`
    /// (10).
    pub(super) fn new(options: &mut Options<'_>, context: &Context) -> Self {
        let retry = options.duration("redeliverInterval", Duration::from_secs(1));
        let limit = options.duration("processingTimeout", Duration::from_millis(1));
        let concurrency = options.number("concurrency", 1..=10_000).unwrap_or(10);
        Self {
            group: options
                .text("consumerID")
                .unwrap_or(&context.app_id)
                .to_owned(),
            retry: retry.unwrap_or(Duration::from_secs(1)),
            limit: limit.unwrap_or(Duration::from_secs(60)),
            concurrency: usize::try_from(concurrency).unwrap_or(1),
            topics: Mutex::default(),
        }
    }
}

#[async_trait]
impl PubSub for Bus {
    async fn publish(&self, publish: Publish) -> Result<(), Error> {
        let Publish {
            topic,
            data,
            metadata,
        } = publish;
        let topics = lock(&self.topics);
        let Some(groups) = topics.get(&topic) else {
            return Ok(());
        };
        let full = |group: &&Arc<Group>| group.queue.len() >= QUEUE;
        let mut all_full = groups.values().filter(full);
        if all_full.any(|group| group.subscribers.load(Relaxed) > 0) {
            return Err(Error::unavailable(format!(
                "topic '{topic}' is full: a group has {QUEUE} messages waiting"
            )));
        }
        for group in groups.values() {
            if full(&group) {
                group.queue.drop_oldest();
            }
            group.queue.push(Message {
                topic: topic.clone(),
                data: data.clone(),
                metadata: metadata.clone(),
            });
        }
        Ok(())
    }

    async fn subscribe(
        &self,
        subscribe: Subscribe,
        handler: Arc<dyn Handler>,
    ) -> Result<Subscription, Error> {
        let group = subscribe
            .metadata
            .get("consumerID")
            .unwrap_or(&self.group)
            .clone();
        let group = lock(&self.topics)
            .entry(subscribe.topic)
            .or_default()
            .entry(group)
            .or_default()
            .clone();
        let (retry, limit) = (self.retry, self.limit);
        let concurrency = Arc::new(Semaphore::new(self.concurrency));
        let present = Present::new(group);
        Ok(Subscription::spawn(async move |hands| {
            let queue = &present.0.queue;
            loop {
                let Ok(permit) = concurrency.clone().acquire_owned().await else {
                    return;
                };
                let claim = loop {
                    match queue.try_claim() {
                        Some(claim) => break claim,
                        None => queue.changed().await,
                    }
                };
                let handler = handler.clone();
                hands.spawn(async move {
                    let Some(message) = claim.item().cloned() else {
                        return;
                    };
                    match pubsub::answer(&*handler, message, limit).await {
                        Verdict::Ack => claim.done(),
                        Verdict::Retry => claim.retry(retry),
                        Verdict::Unanswered => drop(claim),
                    }
                    drop(permit);
                });
            }
        }))
    }
}
