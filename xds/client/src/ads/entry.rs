//! One type on the stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use prost::Message;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, WeakUnboundedSender};
use tokio::time::Instant;

use super::Stats;
use super::consumer::{Command, Event, Offer, Type};
use super::machine::{Machine, Response};
use crate::sotw::Faults;
use crate::wire::{DiscoveryRequest, DiscoveryResponse};
use crate::{Lifetimes, Malformed, Resource, Sotw, SotwRequest, Update};

/// Responses of a type that may wait for the answer to the one before. Most control planes send
/// none before it.
const WAITING: usize = 256;
const WAITING_BYTES: usize = 64 << 20;

pub(crate) struct Entry<M: Machine> {
    consumer: Type,
    commands: WeakUnboundedSender<Command>,
    machine: M,
    /// Responses that wait for the answer to the offer that is out.
    waiting: VecDeque<M::Response>,
    /// At least their bytes, until none is left.
    waiting_bytes: usize,
    out: Option<Out>,
    lifetimes: Lifetimes,
    fetch: Fetch,
    /// The control plane of the newest stream, by its place.
    server: usize,
    /// The one that gave the versions held.
    origin: Option<usize>,
}

/// What an answer needs to know of its offer.
struct Out {
    /// The offer without the resources' bytes.
    update: Update,
    /// Whether it belongs to a stream that is gone. Nonces of two streams may be equal.
    stale: bool,
    /// Tells its holder that a further response waits.
    behind: Arc<Notify>,
}

/// The wait for the first response.
enum Fetch {
    NotAsked,
    Until(Instant),
    Over,
}

impl<M: Machine> Entry<M> {
    pub(crate) fn new(consumer: Type, commands: &UnboundedSender<Command>) -> Self {
        Self {
            machine: M::new(&consumer.url, consumer.wildcard),
            consumer,
            commands: commands.downgrade(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            out: None,
            lifetimes: Lifetimes::default(),
            fetch: Fetch::NotAsked,
            server: 0,
            origin: None,
        }
    }

    pub(crate) fn index(&self) -> usize {
        self.consumer.index
    }

    pub(crate) fn url(&self) -> &str {
        &self.consumer.url
    }

    /// Whether the type was ever asked for.
    pub(crate) fn asked(&self) -> bool {
        !matches!(self.fetch, Fetch::NotAsked)
    }

    pub(crate) fn subscribe(&mut self, names: &[String]) {
        self.machine.subscribe(names);
        if !names.is_empty() {
            self.ask();
        }
    }

    pub(crate) fn unsubscribe(&mut self, names: &[String]) {
        self.machine.unsubscribe(names);
    }

    /// A new stream to `server` begins. What the old one sent and nobody saw is sent again.
    pub(crate) fn start(&mut self, server: usize) {
        self.server = server;
        match self.origin {
            Some(origin) if origin != server => self.machine.start_elsewhere(),
            _ => self.machine.start(),
        }
        self.forget_waiting();
        if let Some(out) = &mut self.out {
            out.stale = true;
        }
    }

    /// The subscription's request, if it has one to make.
    pub(crate) fn poll_request(&mut self) -> Option<M::Request> {
        let request = self.machine.poll_request()?;
        self.count(|_| {});
        self.ask();
        Some(request)
    }

    /// The wait for the first response begins, also when there is no stream yet.
    fn ask(&mut self) {
        if let Fetch::NotAsked = self.fetch {
            // A time beyond what the clock can say is no end.
            let timeout = self.consumer.fetch_timeout;
            self.fetch = match timeout.and_then(|wait| Instant::now().checked_add(wait)) {
                Some(end) => Fetch::Until(end),
                None => Fetch::Over,
            };
        }
    }

    /// Takes a response; returns the answers that need no consumer.
    pub(crate) fn response(&mut self, response: M::Response) -> Vec<M::Request> {
        if let Some(out) = &self.out {
            self.waiting_bytes += response.encoded_len();
            out.behind.notify_one();
        }
        self.waiting.push_back(response);
        self.offer()
    }

    /// Whether more waits for the consumer than any control plane has to say: then it is
    /// forgotten, to be asked for again on another stream.
    pub(crate) fn is_flooded(&mut self) -> bool {
        let flooded = self.waiting.len() > WAITING
            || (self.waiting.len() > 1 && self.waiting_bytes > WAITING_BYTES);
        if flooded {
            self.forget_waiting();
        }
        flooded
    }

    fn forget_waiting(&mut self) {
        self.waiting = VecDeque::new();
        self.waiting_bytes = 0;
    }

    /// The consumer answered the offer that is out; returns what to send.
    pub(crate) fn answer(&mut self, answer: Result<(), String>) -> Vec<M::Request> {
        let Some(out) = self.out.take() else {
            return Vec::new();
        };
        let nonce = &out.update.nonce;
        let request = match answer {
            Ok(()) => {
                self.used(&out.update);
                // On a newer stream the version is not claimed: the response comes again.
                (!out.stale).then(|| {
                    self.origin = Some(self.server);
                    self.machine.accept(nonce)
                })
            }
            Err(reason) => {
                self.count(|stats| stats.update_rejected += 1);
                (!out.stale).then(|| self.machine.reject(nonce, &reason))
            }
        };
        let mut requests: Vec<_> = request.flatten().into_iter().collect();
        requests.extend(self.offer());
        requests
    }

    /// Offers the next response that waits, unless an offer is out.
    fn offer(&mut self) -> Vec<M::Request> {
        let mut answers = Vec::new();
        while self.out.is_none() {
            let Some(response) = self.waiting.pop_front() else {
                self.waiting_bytes = 0;
                break;
            };
            let nonce = response.nonce().to_owned();
            let update = self.machine.response(response);
            answers.extend(self.take(&nonce, update));
        }
        answers
    }

    /// Offers an update, or answers what no consumer needs to see.
    fn take(&mut self, nonce: &str, update: Result<Update, Malformed>) -> Option<M::Request> {
        match update {
            Err(malformed) => {
                self.count(|stats| stats.update_rejected += 1);
                // It is an answer, as in Envoy: the first one is not waited for any longer.
                self.fetch = Fetch::Over;
                let _ = self.consumer.events.send(Event::Unreadable);
                self.machine.reject(nonce, &malformed.to_string())
            }
            Ok(update) if is_heartbeat(&update) => {
                for (name, ttl) in &update.refreshed {
                    self.lifetimes.set(name, *ttl, Instant::now().into_std());
                }
                self.count(|stats| stats.update_success += 1);
                self.machine.accept(nonce)
            }
            Ok(update) => {
                self.send(update);
                None
            }
        }
    }

    /// Whether the consumer owes an answer.
    pub(crate) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    fn send(&mut self, update: Update) {
        let Some(commands) = self.commands.upgrade() else {
            return; // All consumers are gone, and so the driver is about to end.
        };
        self.fetch = Fetch::Over;
        let behind = Arc::new(Notify::new());
        if !self.waiting.is_empty() {
            behind.notify_one();
        }
        let offer = Offer::new(update, self.consumer.index, commands, &behind);
        self.out = Some(Out {
            update: without_values(offer.update()),
            stale: false,
            behind,
        });
        // Without its consumer the offer is dropped here, and that rejects it.
        let _ = self.consumer.events.send(Event::Offer(offer));
    }

    fn used(&mut self, update: &Update) {
        let now = Instant::now().into_std();
        if update.complete {
            self.lifetimes = Lifetimes::default();
        }
        for one in &update.added {
            self.lifetimes.set(&one.name, one.ttl, now);
        }
        for (name, ttl) in &update.refreshed {
            self.lifetimes.set(name, *ttl, now);
        }
        for name in &update.removed {
            self.lifetimes.remove(name);
        }
        self.count(|stats| {
            stats.update_success += 1;
            stats.version.clone_from(&update.version);
            stats.updated = Some(SystemTime::now());
        });
    }

    /// A stream ended.
    pub(crate) fn lost(&mut self) {
        if self.asked() {
            self.count(|stats| stats.update_failure += 1);
        }
    }

    /// When to call [`Entry::tick`] next.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let fetch = match self.fetch {
            Fetch::Until(end) => Some(end),
            _ => None,
        };
        // An offer that is out may renew what would end now.
        let end = self.out.is_none().then(|| self.lifetimes.next_end());
        let end = end.flatten().map(Instant::from_std);
        fetch.into_iter().chain(end).min()
    }

    /// Tells the consumer what the time brought.
    pub(crate) fn tick(&mut self) {
        let now = Instant::now();
        if matches!(self.fetch, Fetch::Until(end) if end <= now) {
            self.fetch = Fetch::Over;
            self.count(|stats| stats.init_fetch_timeout += 1);
            let _ = self.consumer.events.send(Event::FetchTimeout);
        }
        if self.out.is_some() {
            return;
        }
        let ended = self.lifetimes.expire(now.into_std());
        if !ended.is_empty() {
            self.machine.forget(&ended);
            let _ = self.consumer.events.send(Event::Expired(ended));
        }
    }

    /// Counts an attempt and how it ended. As in Envoy, a request is one as well.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Stats)) {
        self.consumer.stats.send_modify(|stats| {
            stats.update_attempt += 1;
            change(stats);
        });
    }
}

impl Entry<Sotw> {
    /// What to ask for, where every request says it all; `None` if that is nothing.
    pub(crate) fn listed(&mut self) -> Option<DiscoveryRequest> {
        if !self.machine.is_needed() {
            return None;
        }
        self.ask();
        Some(self.machine.listed())
    }

    /// Takes a response that was fetched when no offer was out; returns the answer that needs no
    /// consumer. `whole`: it answers a request for all that is asked for by now.
    pub(crate) fn fetched(
        &mut self,
        response: DiscoveryResponse,
        faults: Faults,
        whole: bool,
    ) -> Option<SotwRequest> {
        let nonce = response.nonce.clone();
        let mut update = self.machine.fetched(response, faults);
        if whole {
            update.missing = self.machine.missing(&update);
        }
        self.take(&nonce, Ok(update))
    }
}

fn without_values(update: &Update) -> Update {
    let added = update.added.iter().map(|one| Resource {
        name: one.name.clone(),
        version: one.version.clone(),
        value: Vec::new(),
        ttl: one.ttl,
        fault: None,
    });
    Update {
        complete: update.complete,
        version: update.version.clone(),
        nonce: update.nonce.clone(),
        control_plane: None,
        added: added.collect(),
        removed: update.removed.clone(),
        missing: Vec::new(),
        refreshed: update.refreshed.clone(),
    }
}

/// Whether nothing changes but the time that resources have left.
fn is_heartbeat(update: &Update) -> bool {
    !update.refreshed.is_empty() && update.added.is_empty() && update.removed.is_empty()
}
