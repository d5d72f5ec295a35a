//! What a metric is: a number, or a distribution, that moves by atomics alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A number that only grows; one that was not selected stays zero and has no memory.
#[derive(Clone, Debug)]
pub struct Counter(pub(super) Option<Arc<AtomicU64>>);

impl Default for Counter {
    /// One that is counted, but not shown.
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if let Some(value) = &self.0 {
            value.fetch_add(n, Relaxed);
        }
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.as_ref().map_or(0, |value| value.load(Relaxed))
    }
}

/// A number that goes up and down; one that was not selected stays zero and has no memory.
#[derive(Clone, Debug)]
pub struct Gauge(pub(super) Option<Arc<AtomicI64>>);

impl Default for Gauge {
    /// One that moves, but is not shown.
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl Gauge {
    /// Adds one for as long as the guard lives.
    pub fn guard(&self) -> GaugeGuard {
        self.add(1);
        GaugeGuard(self.clone())
    }

    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        if let Some(value) = &self.0 {
            value.fetch_add(n, Relaxed);
        }
    }

    /// Sets it.
    pub fn set(&self, n: i64) {
        if let Some(value) = &self.0 {
            value.store(n, Relaxed);
        }
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.as_ref().map_or(0, |value| value.load(Relaxed))
    }
}

/// Takes one from its gauge when dropped.
#[derive(Debug)]
pub struct GaugeGuard(Gauge);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// Upper bounds of the histogram buckets, in milliseconds: Envoy's default Prometheus ones.
pub const BUCKETS_MS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// A distribution of durations, in milliseconds; one that was not selected stays empty.
#[derive(Clone, Debug)]
pub struct Histogram(pub(super) Option<Arc<Distribution>>);

#[derive(Debug)]
pub(super) struct Distribution {
    buckets: [AtomicU64; BUCKETS_MS.len() + 1],
    pub(super) sum_micros: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self(Some(Arc::new(Distribution {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            sum_micros: AtomicU64::new(0),
        })))
    }
}

impl Histogram {
    /// Records one duration.
    pub fn record(&self, value: Duration) {
        let Some(distribution) = &self.0 else { return };
        let ms = value.as_secs_f64() * 1000.0;
        let bucket = BUCKETS_MS
            .iter()
            .position(|bound| ms <= *bound)
            .unwrap_or(BUCKETS_MS.len());
        distribution.buckets[bucket].fetch_add(1, Relaxed);
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        distribution.sum_micros.fetch_add(micros, Relaxed);
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        (0..=BUCKETS_MS.len()).map(|i| self.bucket(i)).sum()
    }

    /// How many were recorded in one bucket.
    pub(super) fn bucket(&self, bucket: usize) -> u64 {
        (self.0.as_ref()).map_or(0, |one| one.buckets[bucket].load(Relaxed))
    }
}
