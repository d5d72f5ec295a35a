//! SIGTERM while an application has an event in hand: its answer still counts.

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{PublishEventRequest, TopicEventRequest};
use tandem_harness::wait;
use tempfile::TempDir;
use tonic::transport::Channel;

use super::sidecar::Sidecar;
use super::subscriber::Subscriber;

async fn publish(mut client: RuntimeClient<Channel>, data: &str) {
    let event = PublishEventRequest {
        pubsub_name: "pubsub".into(),
        topic: "orders".into(),
        data: data.to_owned().into(),
        ..PublishEventRequest::default()
    };
    client.publish_event(event).await.unwrap();
}

async fn next(subscriber: &mut Subscriber) -> TopicEventRequest {
    let next = tokio::time::timeout(wait::PATIENCE, subscriber.next()).await;
    next.expect("nothing was delivered").expect("it is there")
}

/// A sidecar that was told to end while its application has `first` in hand.
async fn ending(folder: &TempDir, drain: &str) -> (Sidecar, Subscriber, TopicEventRequest) {
    let sidecar = Sidecar::start(folder.path(), &["--drain-time-s", drain]).await;
    let mut subscriber = Subscriber::start(sidecar.client(), "orders").await;
    publish(sidecar.client(), "first").await;
    let event = next(&mut subscriber).await;
    assert_eq!(event.data, "first");
    sidecar.process.signal("TERM");
    sidecar.process.wait_for_output("ending signal").await;
    (sidecar, subscriber, event)
}

/// What a sidecar on the same folder delivers first, when there is something new.
async fn afterwards(folder: &TempDir) -> String {
    let sidecar = Sidecar::start(folder.path(), &[]).await;
    publish(sidecar.client(), "second").await;
    let mut subscriber = Subscriber::start(sidecar.client(), "orders").await;
    let event = next(&mut subscriber).await;
    String::from_utf8(event.data.to_vec()).unwrap()
}

#[tokio::test]
async fn an_answer_that_comes_while_the_sidecar_ends_counts() {
    let folder = TempDir::new().unwrap();
    // Longer than anybody here waits: what ends it is the answer.
    let (mut sidecar, subscriber, event) = ending(&folder, "600").await;
    subscriber.processed(&event);
    let status = sidecar.process.wait(wait::PATIENCE).await;
    let said = sidecar.process.last_output().await;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{said}");
    assert_eq!(afterwards(&folder).await, "second");
}

#[tokio::test]
async fn what_was_not_answered_when_the_drain_time_is_over_comes_again() {
    let folder = TempDir::new().unwrap();
    let (mut sidecar, _subscriber, _) = ending(&folder, "1").await;
    let status = sidecar.process.wait(wait::PATIENCE).await;
    let said = sidecar.process.last_output().await;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{said}");
    assert_eq!(afterwards(&folder).await, "first");
}
