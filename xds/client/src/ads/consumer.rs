//! The other side of the driver: what uses the resources of one type.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};

use super::Stats;
use crate::Update;

/// What consumers tell the driver; `usize` is the type.
#[derive(Debug)]
pub(crate) enum Command {
    Subscribe(usize, Vec<String>),
    Unsubscribe(usize, Vec<String>),
    Answer(usize, Result<(), String>),
}

/// The driver's end of one consumer.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) index: usize,
    pub(crate) url: String,
    pub(crate) wildcard: bool,
    pub(crate) fetch_timeout: Option<Duration>,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) stats: watch::Sender<Stats>,
}

/// Both ends of a new type.
pub(crate) fn register(
    index: usize,
    url: String,
    wildcard: bool,
    fetch_timeout: Option<Duration>,
    commands: &UnboundedSender<Command>,
) -> (Type, Consumer) {
    let (sender, events) = unbounded_channel();
    let (stats_sender, stats) = watch::channel(Stats::default());
    let one = Type {
        index,
        url,
        wildcard,
        fetch_timeout,
        events: sender,
        stats: stats_sender,
    };
    let consumer = Consumer {
        index,
        commands: commands.clone(),
        events,
        stats,
    };
    (one, consumer)
}

/// What the driver tells a consumer.
#[derive(Debug)]
pub enum Event {
    /// A response, to be answered. The next one comes after the answer.
    Offer(Offer),
    /// A response could not be read and was refused; what it had was not looked at.
    Unreadable,
    /// These resources ended by their `ttl` and are to be treated as removed. A name may be one
    /// that was unsubscribed since.
    Expired(Vec<String>),
    /// No readable response came in the time allowed since the type was first asked for: go on
    /// without. One may still come. Said at most once.
    FetchTimeout,
}

/// The one consumer of a type. Unsubscribe before dropping it: what comes later is rejected.
#[derive(Debug)]
pub struct Consumer {
    pub(crate) index: usize,
    pub(crate) commands: UnboundedSender<Command>,
    pub(crate) events: UnboundedReceiver<Event>,
    pub(crate) stats: watch::Receiver<Stats>,
}

impl Consumer {
    /// The next event; `None` when the driver has ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Asks for more names; `*` is everything.
    pub fn subscribe<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) {
        let names = names.into_iter().map(Into::into).collect();
        let _ = self.commands.send(Command::Subscribe(self.index, names));
    }

    /// No longer asks for these names.
    pub fn unsubscribe<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) {
        let names = names.into_iter().map(Into::into).collect();
        let _ = self.commands.send(Command::Unsubscribe(self.index, names));
    }

    /// The type's counters, as they change.
    pub fn stats(&self) -> watch::Receiver<Stats> {
        self.stats.clone()
    }
}

/// An update that waits for its answer. Dropping it unanswered rejects it.
#[derive(Debug)]
pub struct Offer {
    update: Update,
    index: usize,
    commands: Option<UnboundedSender<Command>>,
    /// Told when a further response waits.
    behind: Arc<Notify>,
}

impl Offer {
    pub(crate) fn new(
        update: Update,
        index: usize,
        commands: UnboundedSender<Command>,
        behind: &Arc<Notify>,
    ) -> Self {
        Self {
            update,
            index,
            commands: Some(commands),
            behind: Arc::clone(behind),
        }
    }

    /// What the control plane sent.
    pub fn update(&self) -> &Update {
        &self.update
    }

    /// Resolves when a further response of the type waits for this one's answer, which then
    /// should not be put off any longer.
    pub async fn overtaken(&self) {
        self.behind.notified().await;
    }

    /// The consumer uses the update: ACK.
    pub fn accept(mut self) {
        self.answer(Ok(()));
    }

    /// The consumer keeps what it has: NACK, with the reason for the control plane.
    pub fn reject(mut self, reason: impl Into<String>) {
        self.answer(Err(reason.into()));
    }

    fn answer(&mut self, answer: Result<(), String>) {
        if let Some(commands) = self.commands.take() {
            let _ = commands.send(Command::Answer(self.index, answer));
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.answer(Err("the update was dropped by its consumer".to_owned()));
    }
}
