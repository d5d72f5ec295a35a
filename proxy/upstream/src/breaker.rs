//! Circuit breakers: how much of a cluster may be in use at once, process-wide.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tandem_core::stats::{Gauge, Registry};
use tandem_model::cluster::Thresholds;

/// The limits and counts of one cluster and priority.
#[derive(Debug)]
pub(crate) struct Breaker {
    pub(crate) connections: Resource,
    pub(crate) pending: Resource,
    pub(crate) requests: Resource,
    pub(crate) retries: Resource,
    budget: Option<(f64, u32)>,
}

/// One counted resource.
#[derive(Debug)]
pub(crate) struct Resource {
    used: AtomicU32,
    max: u32,
    open: Gauge,
    remaining: Option<Gauge>,
}

/// Gives its unit back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    breaker: Arc<Breaker>,
    which: fn(&Breaker) -> &Resource,
}

impl Breaker {
    /// `priority` is `default` or `high`.
    pub(crate) fn new(
        limits: &Thresholds,
        registry: &Registry,
        name: &str,
        priority: &str,
    ) -> Arc<Self> {
        let scope = registry.cluster(name);
        let gauge = |name: &str| scope.gauge(&format!("circuit_breakers.{priority}.{name}"));
        let resource = |name: &str, max: u32| Resource {
            used: AtomicU32::new(0),
            max,
            open: gauge(&format!("{name}_open")),
            remaining: limits.track_remaining.then(|| {
                let gauge = gauge(&format!("remaining_{}", plural(name)));
                gauge.set(i64::from(max));
                gauge
            }),
        };
        Arc::new(Self {
            connections: resource("cx", limits.max_connections),
            pending: resource("rq_pending", limits.max_pending_requests),
            requests: resource("rq", limits.max_requests),
            retries: resource("rq_retry", limits.max_retries),
            budget: limits
                .retry_budget
                .as_ref()
                .map(|b| (b.budget_percent.fraction(), b.min_retry_concurrency)),
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

    fn try_take(&self) -> bool {
        if self.used.fetch_add(1, Relaxed) >= self.max {
            self.used.fetch_sub(1, Relaxed);
            return false;
        }
        self.changed();
        true
    }

    fn add(&self) {
        self.used.fetch_add(1, Relaxed);
        self.changed();
    }

    fn give_back(&self) {
        self.used.fetch_sub(1, Relaxed);
        self.changed();
    }

    fn changed(&self) {
        let used = self.used();
        // The gauge moves only at the limit: in normal work this is one comparison.
        if used >= self.max {
            self.open.set(1);
        } else if used + 1 == self.max {
            self.open.set(0);
        }
        if let Some(remaining) = &self.remaining {
            remaining.set(i64::from(self.max.saturating_sub(used)));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.which)(&self.breaker).give_back();
    }
}

fn plural(name: &str) -> &'static str {
    match name {
        "cx" => "cx",
        "rq_pending" => "pending",
        "rq_retry" => "retries",
        _ => "rq",
    }
}

#[cfg(test)]
mod tests;
