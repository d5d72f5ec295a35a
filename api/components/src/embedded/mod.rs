//! Embedded back-ends: one SQLite file under the data directory. What was acknowledged survives a
//! crash of the process and of the machine (write-ahead log, synced at every commit).
//!
//! Writes queue up for one thread, which commits as many as are waiting at once: the cost of a
//! sync is shared. Reads have a connection of their own and never wait for a sync.

mod database;
mod guard;
mod lock;
mod many;
mod pubsub;
mod sequencer;
mod state;
mod writer;

use std::{sync::Arc, time::Duration};

use tandem_api_contract::{
    component::Building,
    declaration::{Context, Resolved},
    lock::LockStore,
    options::Options,
    pubsub::PubSub,
    sequencer::Sequencer,
    state::StateStore,
};

pub(crate) use self::database::Database;
use crate::in_memory::Same;

/// The embedded component of a building block, if it has one. Components of one process share the
/// file; their names keep their data apart.
pub(crate) fn build(
    block: &str,
    options: &mut Options<'_>,
    context: &Context,
    resolved: &Resolved,
    database: Arc<Database>,
) -> Option<Building> {
    let store: Arc<str> = Arc::from(&*resolved.name);
    Some(match block {
        "state" => {
            let state = Arc::new(state::State::new(store, database));
            Building::State(Arc::new(Same::<dyn StateStore>(state)))
        }
        "lock" => {
            let locks = Arc::new(lock::Locks::new(store, database));
            Building::Lock(Arc::new(Same::<dyn LockStore>(locks)))
        }
        "sequencer" => {
            let sequences = Arc::new(sequencer::Sequences::new(store, database));
            Building::Sequencer(Arc::new(Same::<dyn Sequencer>(sequences)))
        }
        "pubsub" => {
            let second = Duration::from_secs(1);
            let settings = pubsub::Settings {
                group: options
                    .text("consumerID")
                    .unwrap_or(&context.app_id)
                    .to_owned(),
                retry: options
                    .duration("redeliverInterval", second)
                    .unwrap_or(second),
                limit: options
                    .duration("processingTimeout", Duration::from_millis(1))
                    .unwrap_or(Duration::from_secs(60)),
                concurrency: options.number("concurrency", 1..=10_000).unwrap_or(10),
                keep: options.number("maxLenApprox", 1..=i64::MAX),
            };
            let bus = Arc::new(pubsub::Bus::new(store, database, settings));
            Building::PubSub(Arc::new(Same::<dyn PubSub>(bus)))
        }
        _ => return None,
    })
}

/// Now, as it is stored: milliseconds since 1970. Wall-clock time, since it outlives the process.
fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// When something expires that lasts `ttl` from now.
fn after(ttl: Duration) -> i64 {
    now().saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}
