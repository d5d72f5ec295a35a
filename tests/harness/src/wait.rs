//! Waiting for a condition instead of for a time.
//!
//! A limit here is of time that everybody had: of a pause between two looks no more than
//! [`PAUSE`] counts, so that a machine which stands still does not use it up.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

/// How long a condition may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a pause counts for at most. Where one took longer the machine stood still, and with it who
/// is waited for. The time in which a condition asks somebody counts in full.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `condition` every few milliseconds until it is true; false when `limit` passed first.
pub async fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let asked = || std::future::ready(condition());
    ask(limit, Duration::from_millis(2), asked).await
}

/// As [`until`], for a condition that has to ask somebody.
pub async fn until_async<F: Future<Output = bool>>(
    limit: Duration,
    condition: impl FnMut() -> F,
) -> bool {
    ask(limit, Duration::from_millis(5), condition).await
}

async fn ask<F: Future<Output = bool>>(
    limit: Duration,
    every: Duration,
    mut condition: impl FnMut() -> F,
) -> bool {
    let mut left = limit;
    loop {
        let start = Instant::now();
        if condition().await {
            return true;
        }
        if left.is_zero() {
            return false;
        }
        let asking = start.elapsed();
        let start = Instant::now();
        sleep(every).await;
        left = left.saturating_sub(asking + start.elapsed().min(PAUSE));
    }
}

/// Waits for what comes; `None` when `limit` passed first.
pub async fn within<F: Future>(limit: Duration, coming: F) -> Option<F::Output> {
    let mut coming = pin!(coming);
    let mut left = limit;
    loop {
        let start = Instant::now();
        if let Ok(came) = timeout(left.min(PAUSE), coming.as_mut()).await {
            return Some(came);
        }
        left = left.saturating_sub(start.elapsed().min(PAUSE));
        if left.is_zero() {
            return None;
        }
    }
}
