//! Outlier detection: hosts that fail several times in a row, or more often than others, are left
//! alone for a while.
//!
//! Workers count, and eject who fails in a row; the sweep on the control thread compares hosts and
//! brings them back. Counting is a few atomics; publishing changed health happens only when a host
//! is ejected or returns.

mod rates;
mod sweep;

pub(crate) use rates::{EXTERNAL, LOCAL, Looked, Norms};
use sweep::keep_swept;

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use http::StatusCode;
use tandem_model::cluster::{Discovery, OutlierDetection};

use crate::cluster::SharedCluster;
use crate::host::{Host, HostState};
use crate::stats::Detector;

/// A connection was made.
pub(crate) fn connected(cluster: &Arc<SharedCluster>, host: &Host) {
    if let Some(detection) = &cluster.config.outlier_detection
        && detection.split_external_local_origin_errors
    {
        host.state.consecutive_local.store(0, Relaxed);
    }
}

/// A connection was made on which nothing is spoken that could be judged: as good as an answer.
pub(crate) fn connected_for_good(cluster: &Arc<SharedCluster>, host: &Host) {
    if let Some(detection) = &cluster.config.outlier_detection
        && !detection.split_external_local_origin_errors
    {
        host.state.raw_successes.fetch_add(1, Relaxed);
        watch(cluster);
        forgive(&host.state);
    }
}

/// The host answered.
pub(crate) fn answered(cluster: &Arc<SharedCluster>, host: &Host, status: StatusCode) {
    let state = &host.state;
    if status.is_server_error() {
        state.errors.fetch_add(1, Relaxed);
    } else {
        state.successes.fetch_add(1, Relaxed);
    }
    let Some(detection) = &cluster.config.outlier_detection else {
        return;
    };
    watch(cluster);
    if detection.split_external_local_origin_errors {
        state.consecutive_local.store(0, Relaxed);
    }
    if !status.is_server_error() {
        return forgive(state);
    }
    failed_externally(
        cluster,
        host,
        detection,
        matches!(status.as_u16(), 502..=504),
    );
}

/// No row of failures goes on after a success.
fn forgive(state: &HostState) {
    // Loaded first: stores would make all workers fight over the line.
    for counter in [&state.consecutive_5xx, &state.consecutive_gateway] {
        if counter.load(Relaxed) != 0 {
            counter.store(0, Relaxed);
        }
    }
}

/// No answer: the connection failed or broke.
pub(crate) fn local_failure(cluster: &Arc<SharedCluster>, host: &Host) {
    host.state.errors.fetch_add(1, Relaxed);
    let Some(detection) = &cluster.config.outlier_detection else {
        return;
    };
    watch(cluster);
    if !detection.split_external_local_origin_errors {
        // Counted as the 503 that the client gets.
        return failed_externally(cluster, host, detection, true);
    }
    host.state.local_errors.fetch_add(1, Relaxed);
    count(
        cluster,
        host,
        &host.state.consecutive_local,
        detection.consecutive_local_origin_failure,
        detection.enforcing_consecutive_local_origin_failure,
        &cluster.stats.outlier.consecutive_local_origin_failure,
    );
}

/// No answer in time.
pub(crate) fn timed_out(cluster: &Arc<SharedCluster>, host: &Host) {
    host.state.timeouts.fetch_add(1, Relaxed);
    local_failure(cluster, host);
}

fn failed_externally(
    cluster: &Arc<SharedCluster>,
    host: &Host,
    detection: &OutlierDetection,
    gateway: bool,
) {
    let stats = &cluster.stats.outlier;
    if gateway {
        count(
            cluster,
            host,
            &host.state.consecutive_gateway,
            detection.consecutive_gateway_failure,
            detection.enforcing_consecutive_gateway_failure,
            &stats.consecutive_gateway_failure,
        );
    } else {
        host.state.consecutive_gateway.store(0, Relaxed);
    }
    count(
        cluster,
        host,
        &host.state.consecutive_5xx,
        detection.consecutive_5xx,
        detection.enforcing_consecutive_5xx,
        &stats.consecutive_5xx,
    );
}

fn count(
    cluster: &Arc<SharedCluster>,
    host: &Host,
    counter: &AtomicU32,
    limit: u32,
    enforcing: u32,
    detector: &Detector,
) {
    if limit == 0 || counter.fetch_add(1, Relaxed) + 1 < limit {
        return;
    }
    if may_be_ejected(cluster, host) {
        counter.store(0, Relaxed);
        found(cluster, host, enforcing, detector);
    }
}

/// Whether anything new can be found out about it.
fn may_be_ejected(cluster: &SharedCluster, host: &Host) -> bool {
    // Asked all the same, in panic; or a request that was still under way where nobody chooses
    // it any more.
    !(host.is_ejected() || host.state.gone.load(Relaxed) || cluster.is_retired())
}

fn found(cluster: &Arc<SharedCluster>, host: &Host, enforcing: u32, detector: &Detector) {
    detector.detected.inc();
    if eject(cluster, host, enforcing) {
        detector.enforced.inc();
    }
}

/// Sees to it that what is counted is looked at.
fn watch(cluster: &Arc<SharedCluster>) {
    let is_listed = || !matches!(cluster.config.discovery, Discovery::OriginalDst(_));
    if !cluster.sweeping.load(Relaxed) && is_listed() {
        keep_swept(cluster);
    }
}

/// Whether the host was ejected now. The share of ejected hosts is looked at before the chance is
/// taken: an overflow counts where nothing is enforced, too.
fn eject(cluster: &Arc<SharedCluster>, host: &Host, enforcing: u32) -> bool {
    let Some(detection) = &cluster.config.outlier_detection else {
        return false;
    };
    if let Discovery::OriginalDst(_) = cluster.config.discovery {
        // There is no other host that could be chosen in its place.
        return false;
    }
    let stats = &cluster.stats.outlier;
    {
        let mut ejected_at = host
            .state
            .ejected_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if ejected_at.is_some() {
            return false;
        }
        let set = cluster.hosts();
        let ejected = set
            .hosts
            .iter()
            .filter(|host| host.state.ejected.load(Relaxed))
            .count();
        let most = set.hosts.len() * detection.max_ejection_percent as usize;
        let first = detection.always_eject_one_host && ejected == 0;
        if !first && (ejected + 1) * 100 > most {
            stats.overflow.inc();
            return false;
        }
        if crate::random::below(100) >= enforcing as usize {
            return false;
        }
        *ejected_at = Some(Instant::now());
        host.state.ejections.fetch_add(1, Relaxed);
        // Another path to it may do better when it is back.
        host.state.drains.fetch_add(1, Relaxed);
        host.state.ejected.store(true, Relaxed);
    }
    stats.enforced_total.inc();
    tracing::info!(cluster = %cluster.config.name, host = %host.text(), "host ejected");
    cluster.health_changed();
    keep_swept(cluster);
    true
}
