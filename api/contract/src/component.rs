//! A component: the part that all workers share, and the clients it hands out.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    hello::Hello, lock::LockStore, pubsub::PubSub, sequencer::Sequencer, state::StateStore,
};

/// How a component fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It has not reached its back-end yet.
    Starting,
    /// Its back-end answers.
    Ready,
    /// Its back-end does not answer; the reason, for people. It is tried again.
    Down(Arc<str>),
}

/// Where a component tells how it fares, and where others see it.
#[derive(Debug, Clone)]
pub struct Readiness(watch::Sender<Status>);

impl Default for Readiness {
    fn default() -> Self {
        Self(watch::Sender::new(Status::Starting))
    }
}

impl Readiness {
    /// The back-end answers.
    pub fn ready(&self) {
        self.set(Status::Ready);
    }

    /// The back-end does not answer.
    pub fn down(&self, reason: impl Into<Arc<str>>) {
        self.set(Status::Down(reason.into()));
    }

    /// How the component fares now.
    pub fn status(&self) -> Status {
        self.0.borrow().clone()
    }

    /// To wait for a change.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    fn set(&self, status: Status) {
        self.0.send_if_modified(|current| {
            let changed = *current != status;
            *current = status;
            changed
        });
    }
}

/// The shared part of a component. `C` is the building block it serves, such as
/// `dyn StateStore`.
#[async_trait]
pub trait Component<C: ?Sized + Send + Sync + 'static>: Send + Sync + 'static {
    /// A client for one worker; called once on each, inside its runtime. A client must answer at
    /// once, with [`Kind::Unavailable`](crate::Kind::Unavailable) if need be, even if the back-end
    /// was never reached.
    fn client(&self) -> Arc<C>;

    /// Watches the back-end and tells how it fares; called once, on the control thread, and ended
    /// by dropping it. A component whose back-end is the process itself is ready at once.
    async fn run(&self, readiness: Readiness) {
        readiness.ready();
    }
}

/// A component of any kind, as a factory makes it.
#[derive(Clone)]
pub enum Building {
    /// State.
    State(Arc<dyn Component<dyn StateStore>>),
    /// Locks.
    Lock(Arc<dyn Component<dyn LockStore>>),
    /// Sequences.
    Sequencer(Arc<dyn Component<dyn Sequencer>>),
    /// Publish and subscribe.
    PubSub(Arc<dyn Component<dyn PubSub>>),
    /// Greeting.
    Hello(Arc<dyn Hello>),
}

impl Building {
    pub(crate) async fn run(&self, readiness: Readiness) {
        match self {
            Self::State(component) => component.run(readiness).await,
            Self::Lock(component) => component.run(readiness).await,
            Self::Sequencer(component) => component.run(readiness).await,
            Self::PubSub(component) => component.run(readiness).await,
            Self::Hello(_) => readiness.ready(),
        }
    }
}
