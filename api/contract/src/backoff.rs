//! How long to wait before the next try.

use std::time::Duration;

/// Delays that double from one try to the next up to a cap, each spread by ±50 % so that
/// processes which failed together do not come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    tries: u32,
}

impl Backoff {
    /// Starts at `first` and never waits longer than one and a half times `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            tries: 0,
        }
    }

    /// The delay before the next try.
    pub fn next_delay(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.tries.min(16));
        self.tries = self.tries.saturating_add(1);
        doubled.min(self.cap).mul_f64(0.5 + rand::random::<f64>())
    }

    /// Starts again at the first delay: the last try succeeded.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

impl Default for Backoff {
    /// From 50 ms up to 2 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(2))
    }
}
