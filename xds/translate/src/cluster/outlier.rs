//! Passive health checks.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::OutlierDetection as Proto;
use tandem_model::cluster::{FailurePercentage, OutlierDetection, SuccessRate};

use crate::cx::Cx;
use crate::value::{self, u32_or};

pub(super) fn detection(cx: &Cx<'_>, proto: &Proto) -> OutlierDetection {
    // Without active health checks, and without degraded hosts found by answers, `true` would not
    // be kept.
    let degraded = proto.detect_degraded_hosts.as_ref();
    let uneject = proto.successful_active_health_check_uneject_host.as_ref();
    for (field, value) in [
        ("successful_active_health_check_uneject_host", uneject),
        ("detect_degraded_hosts", degraded),
    ] {
        if value::bool_or(value, false) {
            cx.field(field).error("'true' is not supported");
        }
    }
    let duration = |field, value, default| {
        value::duration(cx, field, value).unwrap_or(Duration::from_secs(default))
    };
    let base = duration("base_ejection_time", proto.base_ejection_time.as_ref(), 30);
    let max = value::duration(cx, "max_ejection_time", proto.max_ejection_time.as_ref());
    if max.is_some_and(|max| max < base) {
        let reason = format!("expected at least the base_ejection_time, {base:?}");
        cx.field("max_ejection_time").error(reason);
    }
    OutlierDetection {
        consecutive_5xx: u32_or(proto.consecutive_5xx.as_ref(), 5),
        enforcing_consecutive_5xx: u32_or(proto.enforcing_consecutive_5xx.as_ref(), 100),
        consecutive_gateway_failure: u32_or(proto.consecutive_gateway_failure.as_ref(), 5),
        enforcing_consecutive_gateway_failure: u32_or(
            proto.enforcing_consecutive_gateway_failure.as_ref(),
            0,
        ),
        consecutive_local_origin_failure: u32_or(
            proto.consecutive_local_origin_failure.as_ref(),
            5,
        ),
        enforcing_consecutive_local_origin_failure: u32_or(
            proto.enforcing_consecutive_local_origin_failure.as_ref(),
            100,
        ),
        split_external_local_origin_errors: proto.split_external_local_origin_errors,
        interval: duration("interval", proto.interval.as_ref(), 10),
        base_ejection_time: base,
        max_ejection_time: max.unwrap_or_else(|| base.max(Duration::from_secs(300))),
        max_ejection_time_jitter: duration(
            "max_ejection_time_jitter",
            proto.max_ejection_time_jitter.as_ref(),
            0,
        ),
        max_ejection_percent: u32_or(proto.max_ejection_percent.as_ref(), 10),
        always_eject_one_host: value::bool_or(proto.always_eject_one_host.as_ref(), false),
        success_rate: success_rate(proto),
        failure_percentage: failure_percentage(proto),
    }
}

fn success_rate(proto: &Proto) -> SuccessRate {
    let default = SuccessRate::default();
    let [by_answers, by_local] = default.enforcing;
    let enforcing = [
        u32_or(proto.enforcing_success_rate.as_ref(), by_answers),
        u32_or(proto.enforcing_local_origin_success_rate.as_ref(), by_local),
    ];
    SuccessRate {
        minimum_hosts: u32_or(
            proto.success_rate_minimum_hosts.as_ref(),
            default.minimum_hosts,
        ),
        request_volume: u32_or(
            proto.success_rate_request_volume.as_ref(),
            default.request_volume,
        ),
        stdev_factor: u32_or(
            proto.success_rate_stdev_factor.as_ref(),
            default.stdev_factor,
        ),
        enforcing,
    }
}

fn failure_percentage(proto: &Proto) -> FailurePercentage {
    let default = FailurePercentage::default();
    let [by_answers, by_local] = default.enforcing;
    let enforcing = [
        u32_or(proto.enforcing_failure_percentage.as_ref(), by_answers),
        u32_or(
            proto.enforcing_failure_percentage_local_origin.as_ref(),
            by_local,
        ),
    ];
    FailurePercentage {
        minimum_hosts: u32_or(
            proto.failure_percentage_minimum_hosts.as_ref(),
            default.minimum_hosts,
        ),
        request_volume: u32_or(
            proto.failure_percentage_request_volume.as_ref(),
            default.request_volume,
        ),
        threshold: u32_or(
            proto.failure_percentage_threshold.as_ref(),
            default.threshold,
        ),
        enforcing,
    }
}
