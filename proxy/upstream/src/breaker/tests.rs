use tandem_model::Percent;
use tandem_model::cluster::{RetryBudget, Thresholds};

use super::*;

/// A full resource refuses until a permit is dropped, and says so.
#[test]
fn a_full_breaker_refuses_until_released() {
    let breaker = Breaker::new(&Thresholds {
        max_requests: 1,
        ..Thresholds::default()
    });
    let permit = breaker.take(|b| &b.requests).unwrap();
    assert!(breaker.take(|b| &b.requests).is_none());
    assert!(breaker.requests.is_open());
    assert_eq!(breaker.requests.remaining(), 0);
    drop(permit);
    assert!(!breaker.requests.is_open());
    assert_eq!(breaker.requests.remaining(), 1);
    assert!(breaker.take(|b| &b.requests).is_some());
}

/// A retry budget is a share of what runs, and never below its minimum.
#[test]
fn a_budget_bounds_retries() {
    let breaker = Breaker::new(&Thresholds {
        retry_budget: Some(RetryBudget {
            budget_percent: Percent::from_f64(20.0),
            min_retry_concurrency: 1,
        }),
        ..Thresholds::default()
    });
    let first = breaker.take_retry().unwrap();
    assert!(breaker.take_retry().is_none());
    let _busy: Vec<_> = (0..10).map(|_| breaker.take(|b| &b.requests)).collect();
    let _second = breaker.take_retry().unwrap();
    assert!(breaker.take_retry().is_none());
    drop(first);
}
