//! `kill -9` while events, ids and locks are given out: what was said stays true afterwards.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{
    GetNextIdRequest, PublishEventRequest, TryLockRequest, UnlockRequest,
};
use tandem_harness::wait;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::Channel;

use super::sidecar::Sidecar;
use super::subscriber::Subscriber;

const CALLERS: usize = 6;
const ROUNDS: usize = 3;
/// So much is said to each caller before the kill.
const ENOUGH: usize = 20;

/// What callers were told.
#[derive(Debug, Default)]
struct Told {
    events: BTreeSet<String>,
    ids: Vec<i64>,
    locks: Vec<String>,
}

async fn lock(
    client: &mut RuntimeClient<Channel>,
    resource: &str,
    owner: &str,
) -> Result<bool, Status> {
    let request = TryLockRequest {
        store_name: "lockstore".into(),
        resource_id: resource.into(),
        lock_owner: owner.into(),
        expire: 600,
    };
    Ok(client.try_lock(request).await?.into_inner().success)
}

/// Publishes, counts and locks until the sidecar is gone; only what was answered is noted.
async fn call(
    mut client: RuntimeClient<Channel>,
    prefix: String,
    told: Arc<Mutex<Told>>,
) -> Result<(), Status> {
    for number in 0.. {
        let name = format!("{prefix}-{number}");
        let event = PublishEventRequest {
            pubsub_name: "pubsub".into(),
            topic: "orders".into(),
            data: name.clone().into(),
            ..PublishEventRequest::default()
        };
        client.publish_event(event).await?;
        told.lock().unwrap().events.insert(name.clone());
        let next = GetNextIdRequest {
            store_name: "sequencer".into(),
            key: "order".into(),
            ..GetNextIdRequest::default()
        };
        let id = client.get_next_id(next).await?.into_inner().next_id;
        told.lock().unwrap().ids.push(id);
        assert!(lock(&mut client, &name, &prefix).await?, "{name} is free");
        told.lock().unwrap().locks.push(name);
    }
    Ok(())
}

/// Deals with every second event until the sidecar is gone; the others must come again.
async fn consume(mut subscriber: Subscriber) -> BTreeSet<String> {
    let mut dealt_with = BTreeSet::new();
    while let Some(event) = subscriber.next().await {
        let name = String::from_utf8(event.data.to_vec()).unwrap();
        if name.ends_with(['0', '2', '4', '6', '8']) {
            subscriber.processed(&event);
            dealt_with.insert(name);
        }
    }
    dealt_with
}

/// Three times: used until killed, started again on the same folder, everything is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_ids_and_locks_survive_kill_9() {
    let folder = TempDir::new().unwrap();
    let mut ids = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut sidecar = Sidecar::start(folder.path(), &[]).await;
        let told = Arc::<Mutex<Told>>::default();
        let consumer = tokio::spawn(consume(Subscriber::start(sidecar.client(), "orders").await));
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let prefix = format!("{round}-{caller}");
                tokio::spawn(call(sidecar.client(), prefix, Arc::clone(&told)))
            })
            .collect();
        let enough = || told.lock().unwrap().locks.len() >= CALLERS * ENOUGH;
        assert!(wait::until(3 * wait::PATIENCE, enough).await, "too slow");
        sidecar.process.kill();
        for caller in callers {
            caller.await.unwrap().unwrap_err();
        }
        let dealt_with = consumer.await.unwrap();
        let told = std::mem::take(&mut *told.lock().unwrap());
        for id in told.ids {
            assert!(ids.insert(id), "{id} was given out twice");
        }

        let sidecar = Sidecar::start(folder.path(), &[]).await;
        let mut client = sidecar.client();
        for name in &told.locks {
            assert!(
                !lock(&mut client, name, "another").await.unwrap(),
                "{name} is held"
            );
        }
        let (name, owner) = (&told.locks[0], told.locks[0].rsplit_once('-').unwrap().0);
        let request = UnlockRequest {
            store_name: "lockstore".into(),
            resource_id: name.clone(),
            lock_owner: owner.to_owned(),
        };
        let unlocked = client.unlock(request).await.unwrap().into_inner();
        assert_eq!(unlocked.status, 0, "its holder can still give it back");

        let mut missing: BTreeSet<_> = told.events.difference(&dealt_with).cloned().collect();
        assert!(!missing.is_empty(), "all had been dealt with");
        let mut subscriber = Subscriber::start(client, "orders").await;
        while !missing.is_empty() {
            let next = tokio::time::timeout(wait::PATIENCE, subscriber.next()).await;
            let event = next.unwrap_or_else(|_| panic!("never delivered: {missing:?}"));
            let event = event.unwrap();
            subscriber.processed(&event);
            missing.remove(std::str::from_utf8(&event.data).unwrap());
        }
    }
}
