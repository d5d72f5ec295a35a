//! What happens each interval: hosts are compared, and come back when their time is over.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tandem_model::cluster::OutlierDetection;

use super::rates;
use crate::cluster::SharedCluster;

/// Looks after the hosts from now on, each interval, until none is left of whom anything is
/// remembered, and nobody asks them: a cluster that is not used costs nothing.
pub(super) fn keep_swept(cluster: &Arc<SharedCluster>) {
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
fn sweep_once(cluster: &Arc<SharedCluster>, detection: &OutlierDetection) -> bool {
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
    let counted = rates::compare(cluster, detection);
    (counted || is_remembered(cluster)) && !cluster.is_retired()
}
