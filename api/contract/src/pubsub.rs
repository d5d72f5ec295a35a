//! Publish and subscribe: at least once, with consumer groups. Knows nothing of envelopes: data is
//! bytes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::watch, task::AbortHandle};

use crate::{Error, Metadata};

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Where to.
    pub topic: String,
    /// What, envelope included.
    pub data: Bytes,
    /// What the publisher added.
    pub metadata: Metadata,
}

/// What to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscribe {
    /// Where from.
    pub topic: String,
    /// What the subscriber added. `consumerID` names another consumer group than the component's
    /// own (whose default is the application's id).
    pub metadata: Metadata,
}

/// A message on its way to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// What was published.
    pub data: Bytes,
    /// What the publisher added, as far as the back-end keeps it.
    pub metadata: Metadata,
}

/// What the subscriber made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Dealt with (or dropped): not delivered to this group again.
    Ack,
    /// Not dealt with: delivered again later.
    Retry,
    /// Nobody is there any more who could deal with it: for whoever subscribes next.
    Unanswered,
}

/// Receives the messages of a subscription; several at once if the component's `concurrency`
/// allows it.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Deals with one message. A subscription that ends does not end this: when its subscriber
    /// has gone, a handler has to say so itself, with [`Verdict::Unanswered`]. If the future is
    /// dropped, as it is when the component's time for an answer is over, the message is delivered
    /// again.
    async fn handle(&self, message: Message) -> Verdict;
}

/// What a handler makes of a message within `limit` (zero: however long it takes).
pub async fn answer(handler: &dyn Handler, message: Message, limit: Duration) -> Verdict {
    if limit.is_zero() {
        return handler.handle(message).await;
    }
    let topic = message.topic.clone();
    match tokio::time::timeout(limit, handler.handle(message)).await {
        Ok(verdict) => verdict,
        Err(_) => {
            tracing::warn!(
                topic,
                ?limit,
                "no answer to an event in time: it comes again"
            );
            Verdict::Retry
        }
    }
}

/// A back-end of publish and subscribe.
#[async_trait]
pub trait PubSub: Send + Sync + 'static {
    /// Publishes; when it returns, the back-end has the message.
    async fn publish(&self, publish: Publish) -> Result<(), Error>;

    /// Subscribes. Messages are handled on the calling runtime until the subscription is dropped.
    /// A back-end that is down is no error: the subscription starts when it is up.
    async fn subscribe(
        &self,
        subscribe: Subscribe,
        handler: Arc<dyn Handler>,
    ) -> Result<Subscription, Error>;

    /// Whether messages expire in the back-end by themselves (`ttlInSeconds`).
    fn expires_messages(&self) -> bool {
        false
    }
}

/// A subscription. Dropping it ends it: no message is taken any more. Those in hand keep their
/// handlers, so that a verdict that has arrived is acknowledged.
#[derive(Debug)]
#[must_use = "dropping a subscription ends it"]
pub struct Subscription {
    taking: AbortHandle,
    hands: Hands,
}

impl Subscription {
    /// A subscription that takes its messages in a task of the current runtime, and hands each to
    /// a task of the [`Hands`].
    pub fn spawn<F>(take: impl FnOnce(Hands) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hands = Hands::default();
        Self {
            taking: tokio::spawn(take(hands.clone())).abort_handle(),
            hands,
        }
    }

    /// Ends it, and waits until the messages in hand are dealt with.
    pub async fn finish(self) {
        let hands = self.hands.clone();
        drop(self);
        hands.finished().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

/// The tasks that deal with the messages of a subscription. They outlive it.
#[derive(Clone, Debug, Default)]
pub struct Hands(watch::Sender<()>);

impl Hands {
    /// Deals with one message in a task of its own.
    pub fn spawn(&self, dealing: impl Future<Output = ()> + Send + 'static) {
        let in_hand = self.0.subscribe();
        tokio::spawn(async move {
            let _in_hand = in_hand;
            dealing.await;
        });
    }

    /// Waits until there are none.
    pub async fn finished(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests;
