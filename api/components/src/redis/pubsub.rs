//! Publish and subscribe on streams, as Dapr's Redis component does: the stream is named for the
//! topic, an entry has the field `data`, the consumer group and its consumer are named for
//! `consumerID`.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use tandem_api_contract::{
    Error,
    declaration::Context,
    options::{Options, parse_duration},
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
    /// About how long a stream keeps them, if it is not bounded by their number.
    ttl: Option<Duration>,
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
            ttl: read_ttl(options),
        }
    }
}

/// `streamTTL`: a duration with its unit, days too.
fn read_ttl(options: &mut Options<'_>) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(86_400);
    let text = options.text("streamTTL")?;
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    let ttl = match days {
        Some(days) => DAY.checked_mul(days),
        None => parse_duration(text),
    };
    if ttl.is_none() {
        let why = format!("expected a duration such as 12h or 30d, found {text:?}");
        options.refuse("streamTTL", &why);
    }
    ttl.filter(|ttl| !ttl.is_zero())
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
        } else if let Some(ttl) = self.settings.ttl {
            let kept_since = UNIX_EPOCH.elapsed().unwrap_or_default().saturating_sub(ttl);
            let kept_since = u64::try_from(kept_since.as_millis()).unwrap_or(0);
            command.arg("MINID").arg("~").arg(kept_since);
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
        Ok(Subscription::spawn(|hands| {
            let reader = Reader::new(
                subscribe.topic,
                group.clone(),
                self.link.clone(),
                self.settings.clone(),
                handler,
                hands,
            );
            reader.run()
        }))
    }
}
