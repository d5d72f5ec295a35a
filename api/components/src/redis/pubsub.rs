//! Publish and subscribe on streams, as Dapr's Redis component does: the stream is named for the
//! topic, an entry has the field `data`, the consumer group and its consumer are named for
//! `consumerID`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tandem_api_contract::{
    Error,
    declaration::Context,
    options::Options,
    pubsub::{Handler, PubSub, Publish, Subscribe, Subscription},
};

use super::{link::Link, stream::Reader};

/// How a pub/sub component behaves; names and defaults are Dapr's.
pub(super) struct Settings {
    /// The consumer group, if a subscription names no other.
    group: String,
    /// A message that was not acknowledged for so long is delivered again; zero: never.
    pub(super) processing_timeout: Duration,
    /// How often such messages are looked for; zero: never.
    pub(super) redeliver_interval: Duration,
    /// How many messages are taken ahead.
    pub(super) queue_depth: usize,
    /// How many messages a subscription handles at once.
    pub(super) concurrency: usize,
    /// About how many entries a stream keeps; none means all.
    max_len: Option<i64>,
}

impl Settings {
    pub(super) fn read(options: &mut Options<'_>, context: &Context) -> Self {
        let mut count = |name, default| {
            let number = options.number(name, 1..=1_000_000).unwrap_or(default);
            usize::try_from(number).unwrap_or(1)
        };
        let (queue_depth, concurrency) = (count("queueDepth", 100), count("concurrency", 10));
        let millisecond = Duration::from_millis(1);
        let processing = options.duration("processingTimeout", millisecond);
        let redeliver = options.duration("redeliverInterval", millisecond);
        Self {
            group: options
                .text("consumerID")
                .unwrap_or(&context.app_id)
                .to_owned(),
            processing_timeout: processing.unwrap_or(Duration::from_secs(60)),
            redeliver_interval: redeliver.unwrap_or(Duration::from_secs(15)),
            queue_depth,
            concurrency,
            max_len: options.number("maxLenApprox", 1..=i64::MAX),
        }
    }
}

pub(super) struct Streams {
    link: Arc<Link>,
    settings: Arc<Settings>,
}

impl Streams {
    pub(super) fn new(link: Arc<Link>, settings: Arc<Settings>) -> Self {
        Self { link, settings }
    }
}

#[async_trait]
impl PubSub for Streams {
    async fn publish(&self, publish: Publish) -> Result<(), Error> {
        let mut command = redis::cmd("XADD");
        command.arg(&publish.topic);
        if let Some(length) = self.settings.max_len {
            command.arg("MAXLEN").arg("~").arg(length);
        }
        command.arg("*").arg("data").arg(&publish.data[..]);
        self.link.tell(&command).await.map(drop)
    }

    async fn subscribe(
        &self,
        subscribe: Subscribe,
        handler: Arc<dyn Handler>,
    ) -> Result<Subscription, Error> {
        let group = subscribe
            .metadata
            .get("consumerID")
            .unwrap_or(&self.settings.group);
        let reader = Reader::new(
            subscribe.topic,
            group.clone(),
            self.link.clone(),
            self.settings.clone(),
            handler,
        );
        Ok(Subscription::spawn(reader.run()))
    }
}
