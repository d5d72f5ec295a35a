//! Metrics that live in the struct that moves them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};

use super::{Histogram, Registry, Scope};

/// A number that only grows, in the struct that moves it.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down, in the struct that moves it.
#[derive(Debug, Default)]
pub struct Level(AtomicI64);

impl Level {
    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// One metric as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Its dotted name within the scope, such as `upstream_rq_200`.
    pub name: &'a str,
    /// Its Prometheus family within the scope, such as `upstream_rq`.
    pub family: &'a str,
    /// A label beside those of the scope.
    pub label: Option<(&'a str, &'a str)>,
    /// The value.
    pub value: Value<'a>,
}

/// The value of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(i64),
    /// Of a gauge that somebody has set: it tells something at zero too.
    Set(i64),
    /// Of a gauge that is never below zero.
    Unsigned(u64),
    /// Of a text readout.
    Text(&'a str),
    /// Of a histogram; `None`: nothing was ever recorded.
    Histogram(Option<&'a Histogram>),
}

impl Value<'_> {
    /// Whether it is not zero, or was set, or anything was recorded.
    pub(super) fn is_used(self) -> bool {
        match self {
            Self::Counter(n) => n != 0,
            Self::Gauge(n) => n != 0,
            Self::Set(_) => true,
            Self::Unsigned(n) => n != 0,
            Self::Text(text) => !text.is_empty(),
            Self::Histogram(histogram) => histogram.is_some_and(|one| one.count() > 0),
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) | Self::Set(_) | Self::Unsigned(_) | Self::Text(_) => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Something that holds its own metrics, and is asked when somebody reads them.
pub trait Source: Send + Sync {
    /// What they are about.
    fn scope(&self, registry: &Registry) -> Scope;

    /// Shows each of them, those that were never moved too.
    fn visit(&self, visit: &mut dyn FnMut(Sample<'_>));
}

impl Registry {
    /// Shows the metrics of `source` for as long as somebody else keeps it.
    pub fn add(&self, source: &Arc<impl Source + 'static>) {
        let mut sources = self
            .0
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if sources.len() == sources.capacity() {
            sources.retain(|source| source.strong_count() > 0);
        }
        let weak = Arc::downgrade(source);
        sources.push(weak);
    }

    /// The sources that there are, by the names of their scopes.
    pub(super) fn sources(&self) -> Vec<(Scope, Arc<dyn Source>)> {
        let sources = self
            .0
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = sources
            .iter()
            .filter_map(|source| source.upgrade())
            .map(|source| (source.scope(self), source))
            .collect();
        found.sort_by(|(a, _), (b, _)| a.dotted.cmp(&b.dotted));
        found
    }
}
