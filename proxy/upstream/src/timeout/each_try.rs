//! The limits of one try: until its answer begins, and of silence to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;
use super::alarm::Limit;

/// The limits of each try of a request, and how far the present one has come.
///
/// As in Envoy they begin when the whole request is here and a connection to send it on: how
/// long connecting may take is the cluster's to say.
#[derive(Debug)]
pub(super) struct EachTry {
    limit: Option<Duration>,
    silence: Option<Duration>,
    state: State,
    connected: Arc<AtomicBool>,
    ends: Option<Instant>,
    last: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// None is under way.
    Over,
    /// It has begun, its limits have not.
    Waiting,
    /// As before, but the answer is here already.
    WaitingAnswered,
    Running,
}

impl EachTry {
    pub(super) fn new(limits: &Limits) -> Option<Box<Self>> {
        if limits.per_try.is_none() && limits.per_try_idle.is_none() {
            return None;
        }
        Some(Box::new(Self {
            limit: limits.per_try,
            silence: limits.per_try_idle,
            state: State::Over,
            connected: Arc::default(),
            ends: None,
            last: None,
        }))
    }

    pub(super) fn begin(&mut self) -> Arc<AtomicBool> {
        self.end();
        self.state = State::Waiting;
        self.connected = Arc::default();
        Arc::clone(&self.connected)
    }

    pub(super) fn end(&mut self) {
        (self.state, self.ends, self.last) = (State::Over, None, None);
    }

    /// Whether the limits begin now; to be asked when the whole request is here.
    pub(super) fn starts(&mut self) -> bool {
        let waits = matches!(self.state, State::Waiting | State::WaitingAnswered);
        if !waits || !self.connected.load(Relaxed) {
            return false;
        }
        let now = Instant::now();
        let limit = self.limit.filter(|_| self.state == State::Waiting);
        self.ends = limit.map(|limit| now + limit);
        self.last = Some(now);
        self.state = State::Running;
        true
    }

    /// Notes that the answer has begun, and says whether any limit is left.
    pub(super) fn answered(&mut self) -> bool {
        self.ends = None;
        match self.state {
            State::Running => self.last = Some(Instant::now()),
            _ => self.state = State::WaitingAnswered,
        }
        self.silence.is_some()
    }

    pub(super) fn moved(&mut self) {
        if self.last.is_some() {
            self.last = Some(Instant::now());
        }
    }

    /// When its limits pass, unless something moves.
    pub(super) fn ends(&self) -> [(Option<Instant>, Limit); 2] {
        let silent = self.silence.and_then(|limit| Some(self.last? + limit));
        [(self.ends, Limit::Try), (silent, Limit::Silence)]
    }

    /// Whether nothing has moved for too long.
    pub(super) fn is_silent(&self) -> bool {
        let [_, (ends, _)] = self.ends();
        ends.is_some_and(|ends| ends <= Instant::now())
    }
}
