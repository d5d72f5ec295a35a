//! In-memory back-ends: everything is lost with the process. For development and tests, and for
//! what need not last.
//!
//! All workers share one table behind a lock that is held for a few instructions and never across
//! an await. That is the one exception to the rule that requests take no lock: here the lock *is*
//! the back-end.

mod lock;
mod pubsub;
mod sequencer;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tandem_api_contract::{
    component::{Building, Component},
    declaration::Context,
    lock::LockStore,
    options::Options,
    pubsub::PubSub,
    sequencer::Sequencer,
    state::StateStore,
};

/// A component whose shared part is also the client of every worker.
pub(crate) struct Same<C: ?Sized>(pub(crate) Arc<C>);

#[async_trait]
impl<C: ?Sized + Send + Sync + 'static> Component<C> for Same<C> {
    fn client(&self) -> Arc<C> {
        self.0.clone()
    }
}

/// The in-memory component of a building block, if it has one.
pub(crate) fn build(block: &str, options: &mut Options<'_>, context: &Context) -> Option<Building> {
    Some(match block {
        "state" => Building::State(Arc::new(Same::<dyn StateStore>(Arc::new(
            state::State::default(),
        )))),
        "lock" => Building::Lock(Arc::new(Same::<dyn LockStore>(Arc::new(
            lock::Locks::default(),
        )))),
        "sequencer" => {
            let sequences = Arc::new(sequencer::Sequences::default());
            Building::Sequencer(Arc::new(Same::<dyn Sequencer>(sequences)))
        }
        "pubsub" => {
            let bus = Arc::new(pubsub::Bus::new(options, context));
            Building::PubSub(Arc::new(Same::<dyn PubSub>(bus)))
        }
        _ => return None,
    })
}

/// Locks, whatever a panicking holder left: tables are changed in one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
