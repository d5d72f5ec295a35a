//! When resources that came with a `ttl` end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The ends of one type's resources. It has no clock: the caller says what time it is.
#[derive(Clone, Debug, Default)]
pub struct Lifetimes(BTreeMap<String, Instant>);

impl Lifetimes {
    /// A resource was accepted or its heartbeat came. Without a `ttl` it does not end.
    pub fn set(&mut self, name: &str, ttl: Option<Duration>, now: Instant) {
        // A time beyond what the clock can say is no end either.
        match ttl.and_then(|ttl| now.checked_add(ttl)) {
            Some(end) => {
                self.0.insert(name.to_owned(), end);
            }
            None => self.remove(name),
        }
    }

    /// The control plane removed the resource.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// When to call [`Lifetimes::expire`] next.
    pub fn next_end(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Takes out the names that have ended, in their order.
    pub fn expire(&mut self, now: Instant) -> Vec<String> {
        let mut ended = Vec::new();
        self.0.retain(|name, end| {
            let lives = *end > now;
            if !lives {
                ended.push(name.clone());
            }
            lives
        });
        ended
    }
}
