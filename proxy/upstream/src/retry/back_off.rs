//! Jittered exponential back-off, as Envoy's.

use std::time::Duration;

/// First interval unless a policy says otherwise.
pub(super) const BASE: Duration = Duration::from_millis(25);
/// Longest interval unless a policy says otherwise.
pub(super) const MAX: Duration = Duration::from_millis(250);

/// The intervals of one request: random within a bound that doubles.
#[derive(Debug)]
pub(super) struct BackOff {
    bound: Duration,
    max: Duration,
}

impl BackOff {
    pub(super) fn new(base: Duration, max: Duration) -> Self {
        Self {
            bound: base.max(Duration::from_millis(1)),
            max: max.max(base),
        }
    }

    pub(super) fn next(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = (bound * 2).min(self.max);
        let millis = usize::try_from(bound.as_millis()).unwrap_or(usize::MAX);
        let random = crate::random::below(millis.min(u32::MAX as usize)).max(1);
        Duration::from_millis(random as u64)
    }
}
