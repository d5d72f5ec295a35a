//! Configuration in a file that is exchanged by moving another in its place.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::Decode;
use super::read::read;
use super::subscription::{Did, Subscription};
use super::watch::Watch;
use crate::{Connection, Consumer};

/// Envoy's `path_config_source`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// What is read: at the start, and whenever it was moved in place.
    pub path: PathBuf,
    /// Watched in its place, for anything moved into it.
    pub watched_directory: Option<PathBuf>,
    /// Read this often instead of being watched.
    pub poll_interval: Option<Duration>,
}

/// One type whose resources are in a file. A file that cannot be read or is refused changes
/// nothing: what the consumer accepted last stays.
pub struct Files {
    file: File,
    decode: Decode,
    subscription: Subscription,
    connection: watch::Sender<Connection>,
}

impl Files {
    /// A type that asks for everything (`wildcard`) or, so far, for nothing, and its consumer.
    /// `decode` reads the file's bytes.
    pub fn new(
        type_url: impl Into<String>,
        wildcard: bool,
        fetch_timeout: Option<Duration>,
        file: File,
        decode: Decode,
    ) -> (Self, Consumer) {
        let (subscription, consumer) = Subscription::new(type_url.into(), wildcard, fetch_timeout);
        let files = Self {
            file,
            decode,
            subscription,
            connection: watch::Sender::default(),
        };
        (files, consumer)
    }

    /// Whether the file could be read, as it changes; if not, why.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.subscribe()
    }

    /// Runs until the consumer and its offers are dropped.
    pub async fn run(mut self) {
        let directory = self.file.watched_directory.as_deref();
        let mut watch = Watch::new(&self.file.path, directory);
        let mut poll = self.file.poll_interval.map(|each| {
            let mut poll = interval(each.max(Duration::from_millis(1)));
            poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
            poll
        });
        let mut due = true;
        loop {
            if due && self.subscription.request().is_some() {
                due = false;
                watch.reads();
                let path = self.file.path.clone();
                let read = tokio::task::spawn_blocking(move || read(&path)).await;
                let bytes = read.unwrap_or_else(|ended| Err(io::Error::other(ended)));
                if !self.take(bytes) {
                    watch.is_bad();
                }
            }
            let changed = async {
                match &mut poll {
                    Some(poll) => {
                        poll.tick().await;
                    }
                    None => watch.changed().await,
                }
            };
            tokio::select! {
                did = self.subscription.next() => match did {
                    Did::Left => return,
                    Did::Subscribed => due = true,
                    Did::Other => {}
                },
                () = changed => due = true,
            }
        }
    }

    fn take(&mut self, bytes: io::Result<Vec<u8>>) -> bool {
        let taken = bytes
            .map_err(|error| error.to_string())
            .and_then(|bytes| self.subscription.fetched(&bytes, &self.decode));
        let connected = taken.is_ok();
        if !connected {
            self.subscription.failed();
        }
        let path = &self.file.path;
        self.connection.send_modify(|state| {
            state.connected = connected;
            if let Err(error) = taken {
                state.failure = Some(format!("{}: {error}", path.display()));
            }
        });
        connected
    }
}
