//! Circuit breakers: how much of a cluster may be in use at once, process-wide.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tandem_model::cluster::Thresholds;

/// The limits and counts of one cluster and priority.
#[derive(Debug)]
pub(crate) struct Breaker {
    pub(crate) connections: Resource,
    pub(crate) pending: Resource,
    pub(crate) requests: Resource,
    pub(crate) retries: Resource,
    budget: Option<(f64, u32)>,
    /// Whether the remaining units are shown.
    pub(crate) track_remaining: bool,
}

/// One counted resource.
#[derive(Debug)]
pub(crate) struct Resource {
    used: AtomicU32,
    max: u32,
}

/// Gives its unit back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    breaker: Arc<Breaker>,
    which: fn(&Breaker) -> &Resource,
}

impl Breaker {
    /// Nothing is in use yet.
    pub(crate) fn new(limits: &Thresholds) -> Arc<Self> {
        let resource = |max: u32| Resource {
            used: AtomicU32::new(0),
            max,
        };
        Arc::new(Self {
            connections: resource(limits.max_connections),
            pending: resource(limits.max_pending_requests),
            requests: resource(limits.max_requests),
            retries: resource(limits.max_retries),
            budget: limits
                .retry_budget
                .as_ref()
                .map(|b| (b.budget_percent.fraction(), b.min_retry_concurrency)),
            track_remaining: limits.track_remaining,
        })
    }

    /// Takes one unit of `which`, unless none is left.
    pub(crate) fn take(self: &Arc<Self>, which: fn(&Self) -> &Resource) -> Option<Permit> {
        which(self).try_take().then(|| self.permit(which))
    }

    /// Takes one unit even beyond the limit: a pool without any connection may always make one.
    pub(crate) fn force(self: &Arc<Self>, which: fn(&Self) -> &Resource) -> Permit {
        which(self).add();
        self.permit(which)
    }

    /// Takes the right to one retry: of the budget if there is one, else of the fixed number.
    pub(crate) fn take_retry(self: &Arc<Self>) -> Option<Permit> {
        let Some((share, least)) = self.budget else {
            return self.take(|breaker| &breaker.retries);
        };
        let busy = f64::from(self.requests.used()) + f64::from(self.pending.used());
        let limit = (busy * share).max(f64::from(least));
        if f64::from(self.retries.used()) >= limit {
            return None;
        }
        Some(self.force(|breaker| &breaker.retries))
    }

    fn permit(self: &Arc<Self>, which: fn(&Self) -> &Resource) -> Permit {
        Permit {
            breaker: Arc::clone(self),
            which,
        }
    }
}

impl Resource {
    /// Units in use.
    pub(crate) fn used(&self) -> u32 {
        self.used.load(Relaxed)
    }

    /// Whether nothing more may be taken.
    pub(crate) fn is_open(&self) -> bool {
        self.used() >= self.max
    }

    /// Units that may still be taken.
    pub(crate) fn remaining(&self) -> u32 {
        self.max.saturating_sub(self.used())
    }

    fn try_take(&self) -> bool {
        if self.used.fetch_add(1, Relaxed) >= self.max {
            self.used.fetch_sub(1, Relaxed);
            return false;
        }
        true
    }

    fn add(&self) {
        self.used.fetch_add(1, Relaxed);
    }

    fn give_back(&self) {
        self.used.fetch_sub(1, Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.which)(&self.breaker).give_back();
    }
}

#[cfg(test)]
mod tests;
