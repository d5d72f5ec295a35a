//! The record of what reached the upstream.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::Headers;
use crate::wait;

/// How a request ended, as the upstream saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It is still coming.
    #[default]
    Open,
    /// It came whole.
    Complete,
    /// The upstream did not care to read it.
    Ignored,
    /// It broke off.
    Aborted(String),
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The name of the port.
    pub server: &'static str,
    /// The connection it came on.
    pub connection: u64,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// The request line; for HTTP/2 the one that HTTP/1.1 would have, with the scheme at its end.
    pub line: String,
    /// The fields as they came; for HTTP/2 with `:authority`.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Headers,
    /// Whether it came whole.
    pub end: End,
}

/// All requests since the last [`Log::take`].
#[derive(Default)]
pub struct Log {
    seen: Mutex<Vec<Seen>>,
    attempts: Mutex<HashMap<String, usize>>,
    epoch: AtomicUsize,
    connections: AtomicUsize,
}

/// Which entry of the record a request is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    index: usize,
    epoch: usize,
}

impl Log {
    /// How many connections were accepted, ever.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many requests are in the record.
    pub fn len(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits (a little) until no request is still coming, and takes the record.
    pub async fn take(&self) -> Vec<Seen> {
        let settled = || {
            self.seen
                .lock()
                .unwrap()
                .iter()
                .all(|seen| seen.end != End::Open)
        };
        wait::until(Duration::from_millis(300), settled).await;
        self.attempts.lock().unwrap().clear();
        let mut seen = self.seen.lock().unwrap();
        self.epoch.fetch_add(1, Ordering::SeqCst);
        std::mem::take(&mut *seen)
    }

    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn attempt(&self, case: &str) -> usize {
        let mut attempts = self.attempts.lock().unwrap();
        let count = attempts.entry(case.to_owned()).or_default();
        *count += 1;
        *count - 1
    }

    pub(super) fn begin(&self, request: Seen) -> Entry {
        let mut seen = self.seen.lock().unwrap();
        seen.push(request);
        Entry {
            index: seen.len() - 1,
            epoch: self.epoch.load(Ordering::SeqCst),
        }
    }

    /// Changes an entry, unless it was taken meanwhile.
    pub(super) fn update(&self, entry: Entry, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.lock().unwrap();
        if self.epoch.load(Ordering::SeqCst) == entry.epoch {
            change(&mut seen[entry.index]);
        }
    }

    pub(super) fn body_of(&self, entry: Entry) -> Vec<u8> {
        let seen = self.seen.lock().unwrap();
        if self.epoch.load(Ordering::SeqCst) != entry.epoch {
            return Vec::new();
        }
        seen[entry.index].body.clone()
    }
}
