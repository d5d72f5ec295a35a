//! What a reader of the metrics is shown of a cluster.

use tandem_core::stats::{Registry, Sample, Scope, Source, Value};
use tandem_model::cluster::Discovery;

use super::{ClusterStats, Detector, Moved, OutlierStats, visit_fixed};
use crate::breaker::Breaker;
use crate::outlier::{EXTERNAL, LOCAL};

impl Source for ClusterStats {
    fn scope(&self, registry: &Registry) -> Scope {
        registry.cluster(&self.name)
    }

    fn visit(&self, visit: &mut dyn FnMut(Sample<'_>)) {
        let present = self.present();
        let Some(first) = present.first() else {
            // The last of them is gone; requests under way may still count.
            return;
        };
        let moved = self.moved.get().map(AsRef::as_ref);
        visit_fixed(moved, visit);
        visit_outliers(moved, visit);
        if let Some(moved) = moved {
            moved.codes.visit("upstream_rq", visit);
            moved.retried_codes.visit("retry.upstream_rq", visit);
            let retried = moved.retried_codes.total();
            if retried > 0 {
                let name = "retry.upstream_rq_completed";
                visit(Sample {
                    name,
                    family: name,
                    label: None,
                    value: Value::Counter(retried),
                });
            }
        }
        if let Some(handshakes) = self.handshakes.get() {
            handshakes.visit(visit);
        }
        let updates = &self.updates;
        let of_control_planes = [
            ("update_rejected", &updates.rejected),
            ("init_fetch_timeout", &updates.init_fetch_timeout),
        ];
        let has_eds = matches!(first.config.discovery, Discovery::Eds(_));
        let of_control_planes = of_control_planes.into_iter().filter(|_| has_eds);
        let all = [
            ("membership_change", &self.membership_change),
            ("update_attempt", &updates.attempt),
            ("update_success", &updates.success),
            ("update_failure", &updates.failure),
            ("update_empty", &updates.empty),
            ("update_no_rebuild", &updates.no_rebuild),
        ];
        for (name, count) in all.into_iter().chain(of_control_planes) {
            visit(Sample {
                name,
                family: name,
                label: None,
                value: Value::Counter(count.get()),
            });
        }
        match has_eds {
            true => updates.accepted.visit(["", ""], None, visit),
            // As Envoy.
            false => gauge("version", 0, visit),
        }
        let mut membership = [0; 4];
        for member in &present {
            let counts = member.membership();
            for (sum, count) in membership.iter_mut().zip(counts) {
                *sum += i64::try_from(count).unwrap_or(i64::MAX);
            }
        }
        let names = [
            "membership_total",
            "membership_healthy",
            "membership_degraded",
            "outlier_detection.ejections_active",
        ];
        for (name, count) in names.iter().zip(membership) {
            gauge(name, count, visit);
        }
        // Only hosts that were never checked are excluded.
        gauge("membership_excluded", 0, visit);
        visit_breaker("default", &first.default_priority, visit);
        visit_breaker("high", &first.high_priority, visit);
    }
}

fn gauge(name: &str, value: i64, visit: &mut dyn FnMut(Sample<'_>)) {
    visit(Sample {
        name,
        family: name,
        label: None,
        value: Value::Gauge(value),
    });
}

fn visit_outliers(moved: Option<&Moved>, visit: &mut dyn FnMut(Sample<'_>)) {
    let outlier = moved.map(|moved| &moved.outlier);
    let mut counter = |name: &str, value: Option<u64>| {
        visit(Sample {
            name: &format!("outlier_detection.ejections_{name}"),
            family: &format!("outlier_detection.ejections_{name}"),
            label: None,
            value: Value::Counter(value.unwrap_or(0)),
        });
    };
    counter("overflow", outlier.map(|o| o.overflow.get()));
    counter("enforced_total", outlier.map(|o| o.enforced_total.get()));
    let detectors = [
        ("consecutive_5xx", outlier.map(|o| &o.consecutive_5xx)),
        (
            "consecutive_gateway_failure",
            outlier.map(|o| &o.consecutive_gateway_failure),
        ),
        (
            "consecutive_local_origin_failure",
            outlier.map(|o| &o.consecutive_local_origin_failure),
        ),
    ];
    let pair = |name, of: fn(&OutlierStats) -> &[Detector; 2], origin: usize| {
        (name, outlier.map(|outlier| &of(outlier)[origin]))
    };
    let compared = [
        pair("success_rate", |o| &o.success_rate, EXTERNAL),
        pair("local_origin_success_rate", |o| &o.success_rate, LOCAL),
        pair("failure_percentage", |o| &o.failure_percentage, EXTERNAL),
        pair(
            "local_origin_failure_percentage",
            |o| &o.failure_percentage,
            LOCAL,
        ),
    ];
    for (name, detector) in detectors.into_iter().chain(compared) {
        let detected = detector.map(|d| d.detected.get());
        counter(&format!("detected_{name}"), detected);
        let enforced = detector.map(|d| d.enforced.get());
        counter(&format!("enforced_{name}"), enforced);
    }
}

fn visit_breaker(priority: &str, breaker: &Breaker, visit: &mut dyn FnMut(Sample<'_>)) {
    let resources = [
        ("cx", "cx", &breaker.connections),
        ("rq_pending", "pending", &breaker.pending),
        ("rq", "rq", &breaker.requests),
        ("rq_retry", "retries", &breaker.retries),
    ];
    for (name, plural, resource) in resources {
        let open = format!("circuit_breakers.{priority}.{name}_open");
        gauge(&open, i64::from(resource.is_open()), visit);
        if breaker.track_remaining {
            let remaining = format!("circuit_breakers.{priority}.remaining_{plural}");
            gauge(&remaining, i64::from(resource.remaining()), visit);
        }
    }
}
