//! How long to wait before the next attempt to reach a control plane.

use std::time::Duration;

/// Exponential back-off with full jitter: each wait is drawn from zero to a bound that doubles
/// with every attempt, as Envoy draws it.
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    bound: Duration,
}

impl Default for Backoff {
    /// Envoy's defaults: 500 ms to 30 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(30))
    }
}

impl Backoff {
    /// Starts at `base` and never waits longer than `max`.
    pub fn new(base: Duration, max: Duration) -> Self {
        let base = base.min(max);
        Self {
            base,
            max,
            bound: base,
        }
    }

    /// The next wait. Its bound is twice that of the one before.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.bound.mul_f64(rand::random::<f64>());
        self.bound = self.bound.saturating_mul(2).min(self.max);
        wait
    }

    /// A response arrived: the next failure starts over.
    pub fn reset(&mut self) {
        self.bound = self.base;
    }
}
