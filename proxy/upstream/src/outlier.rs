//! Outlier detection: hosts that fail several times in a row are left alone for a while.
//!
//! Workers count and eject; the sweep on the control thread brings hosts back. Counting is a
//! few atomics; publishing changed health happens only when a host is ejected or returns.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

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
    if !detection.split_external_local_origin_errors {
        // Counted as the 503 that the client gets.
        return failed_externally(cluster, host, detection, true);
    }
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
    if host.state.ejected.load(Relaxed) {
        // Asked all the same, in panic: nothing new is found out.
        return;
    }
    if host.state.gone.load(Relaxed) || cluster.is_retired() {
        // A request that was still under way there: nobody chooses it any more.
        return;
    }
    counter.store(0, Relaxed);
    detector.detected.inc();
    if eject(cluster, host, enforcing) {
        detector.enforced.inc();
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

/// Looks after ejected hosts from now on, each interval, until none is left of whom anything is
/// remembered: a cluster in which all is well costs nothing.
fn keep_swept(cluster: &Arc<SharedCluster>) {
    if cluster.sweeping.swap(true, Relaxed) {
        return;
    }
    let weak = Arc::downgrade(cluster);
    cluster.control.spawn(async move {
        loop {
            let Some(interval) = weak.upgrade().and_then(|cluster| interval(&cluster)) else {
                return;
            };
            tokio::time::sleep(interval).await;
            let Some(cluster) = weak.upgrade() else {
                return;
            };
            if let Some(detection) = &cluster.config.outlier_detection
                && !sweep_once(&cluster, detection)
            {
                cluster.sweeping.store(false, Relaxed);
                // Whoever ejected meanwhile still saw a sweep at work.
                if is_remembered(&cluster) && !cluster.sweeping.swap(true, Relaxed) {
                    continue;
                }
                return;
            }
        }
    });
}

fn interval(cluster: &SharedCluster) -> Option<Duration> {
    let detection = cluster.config.outlier_detection.as_ref()?;
    Some(detection.interval.max(Duration::from_millis(1)))
}

fn is_remembered(cluster: &SharedCluster) -> bool {
    let set = cluster.hosts();
    set.hosts
        .iter()
        .any(|host| host.state.ejections.load(Relaxed) > 0)
}

/// Whether there is anything to look after still.
fn sweep_once(cluster: &SharedCluster, detection: &OutlierDetection) -> bool {
    let mut changed = false;
    for host in &cluster.hosts().hosts {
        let state = &host.state;
        let mut ejected_at = state
            .ejected_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(at) = *ejected_at else {
            // A host that stays good is trusted more again.
            let count = state.ejections.load(Relaxed);
            state.ejections.store(count.saturating_sub(1), Relaxed);
            continue;
        };
        let times = state.ejections.load(Relaxed).max(1);
        let longest = detection
            .max_ejection_time
            .max(detection.base_ejection_time);
        let mut term = (detection.base_ejection_time * times).min(longest);
        if !detection.max_ejection_time_jitter.is_zero() {
            let millis = detection.max_ejection_time_jitter.as_millis();
            let most = usize::try_from(millis).unwrap_or(usize::MAX);
            term += Duration::from_millis(crate::random::below(most) as u64);
        }
        if at.elapsed() >= term {
            *ejected_at = None;
            state.ejected.store(false, Relaxed);
            for counter in [
                &state.consecutive_5xx,
                &state.consecutive_gateway,
                &state.consecutive_local,
            ] {
                counter.store(0, Relaxed);
            }
            tracing::info!(cluster = %cluster.config.name, host = %host.text(), "host is back");
            changed = true;
        }
    }
    if changed {
        cluster.health_changed();
    }
    is_remembered(cluster)
}
