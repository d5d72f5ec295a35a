//! Redis killed, restarted and paused under load on all four blocks: what was said stays true.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{GetStateRequest, UnlockRequest};
use tandem_harness::redis::Redis;
use tandem_harness::wait;
use tempfile::TempDir;
use tonic::transport::Channel;

use super::load::{BLOCKS, BOUND, Load, SHORT, try_lock};
use super::sidecar::Sidecar;
use super::subscriber::Subscriber;

type Client = RuntimeClient<Channel>;

/// So many rounds are answered to all callers together before the next outage.
const ENOUGH: usize = 60;

/// Entries that were given to somebody who never acknowledged are looked for soon.
const REDELIVERY: &str =
    "\n  - { name: processingTimeout, value: 1s }\n  - { name: redeliverInterval, value: 200ms }";

fn declare(folder: &Path, port: u16) {
    let components = folder.join("components");
    std::fs::create_dir(&components).unwrap();
    for (block, name) in BLOCKS {
        let more = if block == "pubsub" { REDELIVERY } else { "" };
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec:\n  \
             type: {block}.redis\n  version: v1\n  metadata:\n  - {{ name: redisHost, value: \
             \"127.0.0.1:{port}\" }}{more}\n"
        );
        std::fs::write(components.join(format!("{block}.yaml")), text).unwrap();
    }
}

/// Takes every event of one subscription, for as long as the sidecar lives.
async fn consume(mut subscriber: Subscriber, received: Arc<Mutex<BTreeSet<String>>>) {
    while let Some(event) = subscriber.next().await {
        subscriber.processed(&event);
        let name = String::from_utf8(event.data.to_vec()).unwrap();
        received.lock().unwrap().insert(name);
    }
}

/// One sidecar, one subscription and one set of callers through four outages; nothing is started
/// again but Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_outages_of_redis() {
    let folder = TempDir::new().unwrap();
    let mut redis = Redis::start().await;
    declare(folder.path(), redis.port());
    let components = folder.path().join("components");
    let arguments = ["--resources-path", components.to_str().unwrap()];
    let sidecar = Sidecar::start(folder.path(), &arguments).await;
    let received = Arc::<Mutex<BTreeSet<String>>>::default();
    let subscriber = Subscriber::start(sidecar.client(), "orders").await;
    let consumer = tokio::spawn(consume(subscriber, Arc::clone(&received)));
    let load = Load::start(&sidecar);

    load.progress(ENOUGH).await;
    // Killed, and away for a while.
    redis.stop();
    load.refusals().await;
    redis.restart().await;
    load.progress(ENOUGH).await;
    // Killed and started at once.
    redis.restart().await;
    load.progress(ENOUGH).await;
    // Silent while its connections stay open, longer than calls wait …
    redis.pause();
    load.refusals().await;
    redis.resume();
    load.progress(ENOUGH).await;
    // … and for less than that.
    let paused = redis.command(&["CLIENT", "PAUSE", "500", "ALL"]).await;
    assert!(paused.unwrap().starts_with("+OK"));
    load.progress(ENOUGH).await;

    let told = load.stop().await;
    assert!(told.longest < BOUND, "a call took {:?}", told.longest);
    let ids: BTreeSet<_> = told.ids.iter().collect();
    assert_eq!(ids.len(), told.ids.len(), "an id was given out twice");
    let delivered = || told.events.is_subset(&received.lock().unwrap());
    assert!(
        wait::until(wait::PATIENCE, delivered).await,
        "never delivered: {:?}",
        told.events.difference(&received.lock().unwrap())
    );
    assert!(!consumer.is_finished(), "the subscription ended");
    assert_saved(sidecar.client(), &told.keys).await;
    assert_held(sidecar.client(), &told.locks).await;
}

async fn assert_saved(mut client: Client, keys: &[String]) {
    for key in keys {
        let request = GetStateRequest {
            store_name: "statestore".into(),
            key: key.clone(),
            ..GetStateRequest::default()
        };
        let found = client.get_state(request).await.unwrap().into_inner();
        assert_eq!(found.data, key.as_bytes(), "{key} was acknowledged");
    }
}

/// Each lock is held by its owner, who can give it back; the short ones have expired by then.
async fn assert_held(mut client: Client, locks: &[(String, String)]) {
    for (name, owner) in locks {
        if name.ends_with(SHORT) {
            let free = wait::until_async(wait::PATIENCE, || async {
                try_lock(&mut client.clone(), name, "another")
                    .await
                    .unwrap()
            });
            assert!(free.await, "{name} never expired");
            continue;
        }
        let taken = try_lock(&mut client, name, "another").await.unwrap();
        assert!(!taken, "{name} is held");
        let request = UnlockRequest {
            store_name: "lockstore".into(),
            resource_id: name.clone(),
            lock_owner: owner.clone(),
        };
        let unlocked = client.unlock(request).await.unwrap().into_inner();
        assert_eq!(unlocked.status, 0, "{name}: {owner} can still give it back");
    }
}
