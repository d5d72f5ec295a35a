//! Jittered exponential back-off, and what the upstream asks for, as Envoy's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use tandem_model::retry::{RateLimitedBackOff, ResetFormat};

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

/// How long an answer asks to wait, and up to half as long again, so that not all come back at
/// once; `None`: it asks for nothing, or for too long.
pub(super) fn asked(policy: &RateLimitedBackOff, headers: &HeaderMap) -> Option<Duration> {
    let wait = policy.reset_headers.iter().find_map(|(name, format)| {
        let wait = interval(headers.get(name)?.to_str().ok()?, *format)?;
        (wait <= policy.max_interval).then_some(wait)
    })?;
    let half = usize::try_from(wait.as_millis() / 2).unwrap_or(usize::MAX);
    let jitter = crate::random::below(half.min(u32::MAX as usize));
    Some(wait + Duration::from_millis(jitter as u64))
}

fn interval(said: &str, format: ResetFormat) -> Option<Duration> {
    let said = Duration::from_secs(said.trim().parse().ok()?);
    match format {
        ResetFormat::Seconds => Some(said),
        ResetFormat::UnixTimestamp => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            said.checked_sub(now).filter(|wait| !wait.is_zero())
        }
    }
}
