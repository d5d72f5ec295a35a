//! The metrics of one cluster, under Envoy's names.
//!
//! Ten thousand clusters of which ten are used must not cost ten thousand times a hundred
//! counters: the numbers are made when the first of them moves, and of a cluster that nobody
//! used zeros are shown without being stored. What follows from other state (hosts, breakers) is
//! read there when somebody asks.

mod codes;
mod shown;

use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tandem_core::stats::{Accepted, Histogram, Level, Sample, Tally, Value};
use tandem_transport::tls;

use crate::cluster::SharedCluster;
use codes::Codes;

/// The metrics of all clusters that share a name for them. They outlive a cluster that is
/// replaced.
#[derive(Debug)]
pub(crate) struct ClusterStats {
    name: Arc<str>,
    /// How often hosts came or went; every cluster's hosts come, used or not.
    pub(crate) membership_change: Tally,
    /// What was heard of them.
    pub(crate) updates: Updates,
    moved: OnceLock<Box<Moved>>,
    /// Of a cluster that encrypts, once it was asked for a connection.
    handshakes: OnceLock<Arc<tls::Stats>>,
    members: Mutex<Vec<Weak<SharedCluster>>>,
}

impl ClusterStats {
    /// Metrics under `name`; nothing is measured yet.
    pub(crate) fn new(name: &Arc<str>) -> Self {
        Self {
            name: Arc::clone(name),
            membership_change: Tally::default(),
            updates: Updates::default(),
            moved: OnceLock::new(),
            handshakes: OnceLock::new(),
            members: Mutex::default(),
        }
    }

    /// Shows the state of `cluster` too.
    pub(crate) fn join(&self, cluster: &Arc<SharedCluster>) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(cluster));
    }

    /// What becomes of TLS handshakes.
    pub(crate) fn handshakes(&self) -> &Arc<tls::Stats> {
        self.handshakes
            .get_or_init(|| Arc::new(tls::Stats::unregistered()))
    }

    /// The clusters that requests may choose now.
    fn present(&self) -> Vec<Arc<SharedCluster>> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|member| member.is_published())
            .collect()
    }
}

impl Deref for ClusterStats {
    type Target = Moved;

    fn deref(&self) -> &Moved {
        self.moved.get_or_init(Box::default)
    }
}

macro_rules! cluster_stats {
    (counters { $($counter:ident)* } gauges { $($gauge:ident)* } histograms { $($histogram:ident)* }) => {
        /// Every metric of a cluster that has a fixed name and is not to be seen elsewhere.
        #[derive(Debug, Default)]
        pub(crate) struct Moved {
            $(pub(crate) $counter: Tally,)*
            $(pub(crate) $gauge: Level,)*
            $(pub(crate) $histogram: Histogram,)*
            pub(crate) codes: Codes,
            /// Answers that were not passed on but asked for again.
            pub(crate) retried_codes: Codes,
            pub(crate) outlier: OutlierStats,
        }

        fn visit_fixed(moved: Option<&Moved>, visit: &mut dyn FnMut(Sample<'_>)) {
            let mut show = |name: &'static str, value: Value<'_>| {
                visit(Sample { name, family: name, label: None, value });
            };
            $(show(stringify!($counter), Value::Counter(moved.map_or(0, |m| m.$counter.get())));)*
            $(show(stringify!($gauge), Value::Gauge(moved.map_or(0, |m| m.$gauge.get())));)*
            $(show(stringify!($histogram), Value::Histogram(moved.map(|m| &m.$histogram)));)*
        }
    };
}

cluster_stats! {
    counters {
        upstream_cx_total upstream_cx_http1_total upstream_cx_http2_total
        upstream_cx_connect_fail upstream_cx_connect_timeout upstream_cx_overflow
        upstream_cx_destroy upstream_cx_destroy_local upstream_cx_destroy_remote
        upstream_cx_destroy_with_active_rq upstream_cx_destroy_local_with_active_rq
        upstream_cx_destroy_remote_with_active_rq
        upstream_cx_max_requests upstream_cx_idle_timeout upstream_cx_max_duration_reached
        upstream_cx_none_healthy upstream_cx_protocol_error
        upstream_cx_rx_bytes_total upstream_cx_tx_bytes_total
        upstream_rq_total upstream_rq_pending_total upstream_rq_pending_overflow
        upstream_rq_active_overflow
        upstream_rq_pending_failure_eject upstream_rq_timeout upstream_rq_per_try_timeout
        upstream_rq_per_try_idle_timeout
        upstream_rq_cancelled upstream_rq_rx_reset upstream_rq_tx_reset
        upstream_rq_retry upstream_rq_retry_success upstream_rq_retry_overflow
        upstream_rq_retry_limit_exceeded upstream_rq_retry_backoff_exponential
        upstream_rq_retry_backoff_ratelimited
        upstream_rq_completed
        lb_healthy_panic bind_errors original_dst_host_invalid
    }
    gauges { upstream_cx_active upstream_rq_active upstream_rq_pending_active }
    histograms { upstream_rq_time upstream_cx_connect_ms upstream_cx_length_ms }
}

/// `update_*`: answers of name servers and control planes.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    pub(crate) attempt: Tally,
    pub(crate) success: Tally,
    pub(crate) failure: Tally,
    pub(crate) empty: Tally,
    pub(crate) no_rebuild: Tally,
    /// Of control planes alone, as the next.
    pub(crate) rejected: Tally,
    pub(crate) init_fetch_timeout: Tally,
    pub(crate) accepted: Accepted,
}

/// `outlier_detection.*`.
#[derive(Debug, Default)]
pub(crate) struct OutlierStats {
    pub(crate) overflow: Tally,
    pub(crate) enforced_total: Tally,
    pub(crate) consecutive_5xx: Detector,
    pub(crate) consecutive_gateway_failure: Detector,
    pub(crate) consecutive_local_origin_failure: Detector,
    /// Of answers and of connections, as the next.
    pub(crate) success_rate: [Detector; 2],
    pub(crate) failure_percentage: [Detector; 2],
}

/// What one kind of detection found, and how often it was carried out.
#[derive(Debug, Default)]
pub(crate) struct Detector {
    pub(crate) detected: Tally,
    pub(crate) enforced: Tally,
}
