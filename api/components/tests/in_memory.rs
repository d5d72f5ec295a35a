//! What only the in-memory back-end can show: what it forgets.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::sync::Arc;

use tandem_api_contract::{
    Kind, Metadata,
    pubsub::{Handler, Message, PubSub, Publish, Subscribe, Verdict},
};

use support::{Components, Inbox, eventually};

/// What a group keeps.
const FULL: usize = 100_000;

async fn publish(pubsub: &Arc<dyn PubSub>, text: String) -> Result<(), Kind> {
    let publish = Publish {
        topic: "t".into(),
        data: text.into(),
        metadata: Metadata::new(),
    };
    pubsub.publish(publish).await.map_err(|error| error.kind())
}

fn topic() -> Subscribe {
    Subscribe {
        topic: "t".into(),
        ..Subscribe::default()
    }
}

/// Never answers.
struct Stuck;

#[async_trait::async_trait]
impl Handler for Stuck {
    async fn handle(&self, _: Message) -> Verdict {
        std::future::pending().await
    }
}

/// Publishers are refused while somebody could still take what waits, and only then.
#[tokio::test]
async fn a_group_without_subscribers_keeps_the_last_events() {
    let components = Components::local("in-memory", "/nonexistent".as_ref());
    let pubsub = components.clients.pubsub.get("pubsub").unwrap();
    let subscription = pubsub.subscribe(topic(), Arc::new(Stuck)).await.unwrap();
    let mut published = 0;
    while publish(pubsub, published.to_string()).await.is_ok() {
        published += 1;
        assert!(published <= FULL + 100);
    }
    drop(subscription);
    // The task that held it ends first.
    eventually("room", async || {
        publish(pubsub, "last".into()).await.is_ok()
    })
    .await;
    let inbox = Arc::new(Inbox::default());
    let _subscription = pubsub.subscribe(topic(), inbox.clone()).await.unwrap();
    eventually("the last", async || {
        inbox
            .messages
            .lock()
            .unwrap()
            .iter()
            .any(|text| text == "last")
    })
    .await;
}
