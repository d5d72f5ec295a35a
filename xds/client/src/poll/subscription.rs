//! One type whose responses are fetched.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use envoy_types::pb::google::rpc::Status;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::{Decode, Fetched};
use crate::ads::consumer::{Command, register};
use crate::ads::entry::Entry;
use crate::wire::{DiscoveryRequest, DiscoveryResponse};
use crate::{Consumer, Sotw, SotwRequest};

pub(super) struct Subscription {
    entry: Entry<Sotw>,
    inbox: UnboundedReceiver<Command>,
    /// Stands for the nonces that there are none of.
    count: u64,
    /// Why the last response was refused.
    refused: Option<Status>,
    /// What the last response was, to know it again.
    last: Option<u64>,
    /// Names were added, and nothing was heard since.
    more: More,
}

/// Whether the version held tells less than all that is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
enum More {
    #[default]
    No,
    /// The next request has to say so.
    ToAsk,
    /// The request that is out says so.
    Asked,
}

/// What a consumer did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// It asks for other names.
    Subscribed,
    /// It answered, or time passed.
    Other,
    /// It is gone.
    Left,
}

impl Subscription {
    pub(super) fn new(
        type_url: String,
        wildcard: bool,
        fetch_timeout: Option<Duration>,
    ) -> (Self, Consumer) {
        let (commands, inbox) = unbounded_channel();
        let (one, consumer) = register(0, type_url, wildcard, fetch_timeout, &commands);
        let subscription = Self {
            entry: Entry::new(one, &commands),
            inbox,
            count: 0,
            refused: None,
            last: None,
            more: More::No,
        };
        (subscription, consumer)
    }

    /// The request to make now; `None` while an answer is due or nothing is asked for.
    pub(super) fn request(&mut self) -> Option<DiscoveryRequest> {
        if self.entry.is_out() {
            return None;
        }
        let mut request = self.entry.listed()?;
        request.error_detail.clone_from(&self.refused);
        if self.refused.is_none() {
            // There is nothing to answer; the version says it all.
            request.response_nonce.clear();
        }
        if self.more != More::No {
            // A control plane with one version for all its resources has nothing new to tell to
            // who holds it, though that was heard when fewer names were asked for.
            request.version_info.clear();
            self.more = More::Asked;
        }
        Some(request)
    }

    /// Other control planes have not given the version held.
    pub(super) fn server(&mut self, server: usize) {
        self.entry.start(server);
        self.last = None;
    }

    /// Waits for the consumer, and for what time brings it. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Did {
        let tick = self.entry.next_tick();
        tokio::select! {
            command = self.inbox.recv() => match command {
                Some(command) => self.command(command),
                None => Did::Left,
            },
            () = sleep_until(tick.unwrap_or_else(Instant::now)), if tick.is_some() => {
                self.entry.tick();
                Did::Other
            }
        }
    }

    fn command(&mut self, command: Command) -> Did {
        match command {
            Command::Subscribe(_, names) => {
                self.more = More::ToAsk;
                self.entry.subscribe(&names);
            }
            Command::Unsubscribe(_, names) => self.entry.unsubscribe(&names),
            Command::Answer(_, answer) => {
                let answers = self.entry.answer(answer);
                self.answered(&answers);
                return Did::Other;
            }
        }
        // The same bytes may be meant for more names than before.
        self.last = None;
        Did::Subscribed
    }

    /// Offers what was fetched, unless it is what was fetched last.
    pub(super) fn fetched(&mut self, bytes: &[u8], decode: &Decode) -> Result<(), String> {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let hash = hasher.finish();
        if self.last == Some(hash) {
            self.heard();
            let refused = self.refused.is_some();
            self.entry.count(|stats| match refused {
                true => stats.update_rejected += 1,
                false => stats.update_success += 1,
            });
            return Ok(());
        }
        let Fetched { response, faults } = decode(bytes)?;
        self.last = Some(hash);
        // Names that were added while the request was out are in the next one.
        let whole = self.more != More::ToAsk;
        self.heard();
        self.count += 1;
        let response = DiscoveryResponse {
            nonce: self.count.to_string(),
            ..response
        };
        let answer = self.entry.fetched(response, faults, whole);
        self.answered(answer.as_slice());
        Ok(())
    }

    /// Nothing changed since the version asked with.
    pub(super) fn unchanged(&mut self) {
        self.heard();
        self.entry.count(|stats| stats.update_success += 1);
    }

    /// Nothing came that could be read.
    pub(super) fn failed(&mut self) {
        self.entry.lost();
    }

    fn heard(&mut self) {
        if self.more == More::Asked {
            self.more = More::No;
        }
    }

    fn answered(&mut self, answers: &[SotwRequest]) {
        if let Some(answer) = answers.last() {
            self.refused.clone_from(&answer.rest().error_detail);
        }
    }
}
