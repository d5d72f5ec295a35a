//! Callers of all four blocks that note what they are told, and never stop at an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::sequencer_options::AutoIncrement;
use tandem_api_proto::layotto::{
    GetNextIdRequest, PublishEventRequest, SaveStateRequest, SequencerOptions, StateItem,
    TryLockRequest,
};
use tandem_harness::wait;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::sidecar::Sidecar;

type Client = RuntimeClient<Channel>;

/// The blocks, and what their components are called.
pub const BLOCKS: [(&str, &str); 4] = [
    ("state", "statestore"),
    ("pubsub", "pubsub"),
    ("sequencer", "sequencer"),
    ("lock", "lockstore"),
];

/// The longest that a call may take while the back-end is silent.
pub const BOUND: Duration = Duration::from_secs(10);

/// How the name of a lock ends that is only taken for a second.
pub const SHORT: &str = "0";

const CALLERS: usize = 6;

/// Between two rounds of a caller: refusals come at once, and nothing is gained by thousands.
const PACE: Duration = Duration::from_millis(5);

/// What callers were told.
#[derive(Debug, Default)]
pub struct Told {
    /// Keys that were saved, each with its own name as value.
    pub keys: Vec<String>,
    /// Events that were published.
    pub events: BTreeSet<String>,
    /// Ids that were given out, with their sequences.
    pub ids: Vec<(&'static str, i64)>,
    /// Locks that were given, with their owners.
    pub locks: Vec<(String, String)>,
    /// The longest call.
    pub longest: Duration,
    /// Calls that were refused, by component.
    refused: BTreeMap<&'static str, usize>,
}

impl Told {
    fn acknowledged(&self) -> [usize; 4] {
        let Self {
            keys, events, ids, ..
        } = self;
        [keys.len(), events.len(), ids.len(), self.locks.len()]
    }
}

/// Notes how a call of `component` ended, and what it was answered.
///
/// # Panics
/// When the error is not a clear one.
fn note<T>(
    told: &Mutex<Told>,
    component: &'static str,
    began: Instant,
    done: Result<T, Status>,
    keep: impl FnOnce(&mut Told, T),
) {
    let took = began.elapsed();
    let mut told = told.lock().unwrap();
    told.longest = told.longest.max(took);
    match done {
        Ok(answer) => keep(&mut told, answer),
        Err(error) => {
            assert_eq!(error.code(), Code::Unavailable, "{component}: {error}");
            let named = format!("component '{component}'");
            assert!(error.message().contains(&named), "{component}: {error}");
            *told.refused.entry(component).or_default() += 1;
        }
    }
}

/// Callers at work.
pub struct Load {
    told: Arc<Mutex<Told>>,
    enough: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Load {
    /// Starts the callers.
    pub fn start(sidecar: &Sidecar) -> Self {
        let (told, enough) = (Arc::<Mutex<Told>>::default(), Arc::<AtomicBool>::default());
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (client, told, enough) = (sidecar.client(), told.clone(), enough.clone());
            callers.spawn(async move {
                for number in 0.. {
                    if enough.load(Relaxed) {
                        return;
                    }
                    round(client.clone(), &format!("{caller}"), number, &told).await;
                    tokio::time::sleep(PACE).await;
                }
            });
        }
        Self {
            told,
            enough,
            callers,
        }
    }

    /// Waits until each block has acknowledged so many more.
    pub async fn progress(&self, more: usize) {
        let before = self.told.lock().unwrap().acknowledged();
        let done = || {
            let now = self.told.lock().unwrap().acknowledged();
            now.iter()
                .zip(before)
                .all(|(now, before)| *now >= before + more)
        };
        let progressed = wait::until(3 * wait::PATIENCE, done).await;
        assert!(
            progressed,
            "from {before:?} to {:?}",
            self.told.lock().unwrap().acknowledged()
        );
    }

    /// Waits until each component has refused a call from now on.
    pub async fn refusals(&self) {
        let before = self.told.lock().unwrap().refused.clone();
        let done = || {
            let now = &self.told.lock().unwrap().refused;
            BLOCKS
                .iter()
                .all(|(_, name)| now.get(name) > before.get(name))
        };
        let refused = wait::until(3 * wait::PATIENCE, done).await;
        assert!(
            refused,
            "from {before:?} to {:?}",
            self.told.lock().unwrap().refused
        );
    }

    /// Ends the callers after their current round.
    ///
    /// # Panics
    /// When one of them met an error that it should not have.
    pub async fn stop(self) -> Told {
        self.enough.store(true, Relaxed);
        self.callers.join_all().await;
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

/// Uses each block once, under a name that nobody else uses.
async fn round(mut client: Client, caller: &str, number: usize, told: &Mutex<Told>) {
    let name = format!("{caller}-{number}");
    let item = StateItem {
        key: name.clone(),
        value: name.clone().into(),
        ..StateItem::default()
    };
    let save = SaveStateRequest {
        store_name: "statestore".into(),
        states: vec![item],
    };
    let began = Instant::now();
    let done = client.save_state(save).await;
    note(told, "statestore", began, done, |told, _| {
        told.keys.push(name.clone());
    });

    let publish = PublishEventRequest {
        pubsub_name: "pubsub".into(),
        topic: "orders".into(),
        data: name.clone().into(),
        ..PublishEventRequest::default()
    };
    let began = Instant::now();
    let done = client.publish_event(publish).await;
    note(told, "pubsub", began, done, |told, _| {
        told.events.insert(name.clone());
    });

    // Strong ones are each drawn from the store; weak ones from what was set aside before.
    for (key, increment) in [
        ("order", AutoIncrement::Strong),
        ("visit", AutoIncrement::Weak),
    ] {
        let next = GetNextIdRequest {
            store_name: "sequencer".into(),
            key: key.into(),
            options: Some(SequencerOptions {
                increment: increment.into(),
            }),
            ..GetNextIdRequest::default()
        };
        let began = Instant::now();
        let done = client.get_next_id(next).await;
        note(told, "sequencer", began, done, |told, answer| {
            told.ids.push((key, answer.into_inner().next_id));
        });
    }

    let began = Instant::now();
    let done = try_lock(&mut client, &name, caller).await;
    note(told, "lockstore", began, done, |told, taken| {
        assert!(taken, "{name} is free");
        told.locks.push((name.clone(), caller.to_owned()));
    });
}

/// Takes a lock for ten minutes, or for a second if its name ends so.
pub async fn try_lock(client: &mut Client, resource: &str, owner: &str) -> Result<bool, Status> {
    let request = TryLockRequest {
        store_name: "lockstore".into(),
        resource_id: resource.into(),
        lock_owner: owner.into(),
        expire: if resource.ends_with(SHORT) { 1 } else { 600 },
    };
    Ok(client.try_lock(request).await?.into_inner().success)
}
