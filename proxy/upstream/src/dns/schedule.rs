//! When a name is looked up again.

use std::time::Duration;

use tandem_model::cluster::Dns;

use super::Answer;
use crate::random;

/// Shorter waits would be a busy loop.
const LEAST: Duration = Duration::from_millis(1);

/// The pace of one name.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// The bound of the wait after the next failure, while failures follow each other.
    bound: Option<Duration>,
}

impl Schedule {
    /// The refresh interval, or the time for which the answer holds where that counts.
    pub(super) fn after_success(&mut self, dns: &Dns, answer: &Answer) -> Duration {
        self.bound = None;
        let holds = dns.respect_ttl
            && !answer.addresses.is_empty()
            && !answer.ttl.is_zero()
            && answer.ttl < Duration::MAX;
        let wait = if holds { answer.ttl } else { dns.refresh_rate };
        (wait + part(dns.jitter)).max(LEAST)
    }

    /// A random part of an interval that doubles with each failure, or the refresh interval.
    pub(super) fn after_failure(&mut self, dns: &Dns) -> Duration {
        let Some(refresh) = &dns.failure_refresh_rate else {
            return dns.refresh_rate.max(LEAST);
        };
        let bound = self.bound.unwrap_or(refresh.base).min(refresh.max);
        self.bound = Some(bound.saturating_mul(2));
        part(bound).max(LEAST)
    }
}

/// Anything below `whole`.
fn part(whole: Duration) -> Duration {
    let micros = usize::try_from(whole.as_micros()).unwrap_or(usize::MAX);
    // Lengths beyond an hour do not matter to the microsecond.
    let micros = micros.min(1 << 32);
    Duration::from_micros(random::below(micros) as u64)
}

#[cfg(test)]
mod tests;
