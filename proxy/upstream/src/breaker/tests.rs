use tandem_core::stats::Registry;
use tandem_model::Percent;
use tandem_model::cluster::{RetryBudget, Thresholds};

use super::*;

fn breaker(limits: Thresholds) -> (Registry, Arc<Breaker>) {
    let registry = Registry::default();
    let breaker = Breaker::new(&limits, &registry, "c", "default");
    (registry, breaker)
}

/// A full resource refuses until a permit is dropped, and the gauge shows it.
#[test]
fn a_full_breaker_refuses_until_released() {
    let limits = Thresholds {
        max_requests: 1,
        ..Thresholds::default()
    };
    let (registry, breaker) = breaker(limits);
    let open = "cluster.c.circuit_breakers.default.rq_open";
    let permit = breaker.take(|b| &b.requests).unwrap();
    assert!(breaker.take(|b| &b.requests).is_none());
    assert_eq!(registry.text(|n| n == open, false), format!("{open}: 1\n"));
    drop(permit);
    assert_eq!(registry.text(|n| n == open, false), format!("{open}: 0\n"));
    assert!(breaker.take(|b| &b.requests).is_some());
}

/// A retry budget is a share of what runs, and never below its minimum.
#[test]
fn a_budget_bounds_retries() {
    let limits = Thresholds {
        retry_budget: Some(RetryBudget {
            budget_percent: Percent::from_f64(20.0),
            min_retry_concurrency: 1,
        }),
        ..Thresholds::default()
    };
    let (_registry, breaker) = breaker(limits);
    let first = breaker.take_retry().unwrap();
    assert!(breaker.take_retry().is_none());
    let _busy: Vec<_> = (0..10).map(|_| breaker.take(|b| &b.requests)).collect();
    let _second = breaker.take_retry().unwrap();
    assert!(breaker.take_retry().is_none());
    drop(first);
}
