//! Publish and subscribe: at least once, with consumer groups. Knows nothing of envelopes: data is
//! bytes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::AbortHandle;

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
}

/// Receives the messages of a subscription; several at once if the component's `concurrency`
/// allows it.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Deals with one message. If the future is dropped, the message is delivered again.
    async fn handle(&self, message: Message) -> Verdict;
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

/// A subscription; dropping it ends it. Messages that were being handled are delivered again.
#[derive(Debug)]
#[must_use = "dropping a subscription ends it"]
pub struct Subscription(AbortHandle);

impl Subscription {
    /// A subscription that lives as a task of the current runtime.
    pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.abort();
    }
}
