//! The metrics of one cluster, under Envoy's names.

use tandem_core::stats::{CodeCounters, Counter, Gauge, Histogram, Registry, Scope};

macro_rules! cluster_stats {
    (counters { $($counter:ident)* } gauges { $($gauge:ident)* } histograms { $($histogram:ident)* }) => {
        /// Every metric of a cluster that has a fixed name.
        #[derive(Debug)]
        pub(crate) struct ClusterStats {
            $(pub(crate) $counter: Counter,)*
            $(pub(crate) $gauge: Gauge,)*
            $(pub(crate) $histogram: Histogram,)*
            pub(crate) codes: CodeCounters,
            /// Answers that were not passed on but asked for again.
            pub(crate) retried_codes: CodeCounters,
            pub(crate) outlier: OutlierStats,
        }

        impl ClusterStats {
            /// Finds or makes them for the cluster whose metrics use `name`.
            pub(crate) fn new(registry: &Registry, name: &str) -> Self {
                let scope = registry.cluster(name);
                Self {
                    $($counter: scope.counter(stringify!($counter)),)*
                    $($gauge: scope.gauge(stringify!($gauge)),)*
                    $($histogram: scope.histogram(stringify!($histogram)),)*
                    codes: scope.codes("upstream_rq"),
                    retried_codes: scope.codes("retry.upstream_rq"),
                    outlier: OutlierStats::new(&scope),
                }
            }
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
        upstream_rq_total upstream_rq_pending_total upstream_rq_pending_overflow
        upstream_rq_pending_failure_eject upstream_rq_timeout upstream_rq_per_try_timeout
        upstream_rq_per_try_idle_timeout
         upstream_rq_cancelled upstream_rq_rx_reset upstream_rq_tx_reset
        upstream_rq_retry upstream_rq_retry_success upstream_rq_retry_overflow
        upstream_rq_retry_limit_exceeded upstream_rq_retry_backoff_exponential
        upstream_rq_completed
        membership_change lb_healthy_panic
        update_attempt update_success update_failure update_empty
    }
    gauges {
        upstream_cx_active upstream_rq_active upstream_rq_pending_active
        membership_total membership_healthy membership_degraded
    }
    histograms { upstream_rq_time upstream_cx_connect_ms upstream_cx_length_ms }
}

/// `outlier_detection.*`.
#[derive(Debug)]
pub(crate) struct OutlierStats {
    pub(crate) active: Gauge,
    pub(crate) overflow: Counter,
    pub(crate) enforced_total: Counter,
    pub(crate) consecutive_5xx: Detector,
    pub(crate) consecutive_gateway_failure: Detector,
    pub(crate) consecutive_local_origin_failure: Detector,
}

/// What one kind of detection found, and how often it was carried out.
#[derive(Debug)]
pub(crate) struct Detector {
    pub(crate) detected: Counter,
    pub(crate) enforced: Counter,
}

impl OutlierStats {
    fn new(scope: &Scope) -> Self {
        let counter = |name: &str| scope.counter(&format!("outlier_detection.{name}"));
        let detector = |name: &str| Detector {
            detected: counter(&format!("ejections_detected_{name}")),
            enforced: counter(&format!("ejections_enforced_{name}")),
        };
        Self {
            active: scope.gauge("outlier_detection.ejections_active"),
            overflow: counter("ejections_overflow"),
            enforced_total: counter("ejections_enforced_total"),
            consecutive_5xx: detector("consecutive_5xx"),
            consecutive_gateway_failure: detector("consecutive_gateway_failure"),
            consecutive_local_origin_failure: detector("consecutive_local_origin_failure"),
        }
    }
}
