//! Retry policies.

use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as proto;
use http::StatusCode;
use tandem_model::retry::{RateLimitedBackOff, ResetFormat, RetryOn, RetryPolicy};

use crate::cx::Cx;
use crate::{matcher, value};

const PREVIOUS_HOSTS: &str = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
const BASE: Duration = Duration::from_millis(25);

pub(super) fn policy(cx: &Cx<'_>, proto: &proto::RetryPolicy) -> RetryPolicy {
    let (on, all_known) = RetryOn::parse(&proto.retry_on);
    if !all_known {
        let known: Vec<_> = RetryOn::ALL.iter().map(|(name, _)| *name).collect();
        let reason = format!(
            "expected some of {}, got '{}'",
            known.join(", "),
            proto.retry_on
        );
        cx.field("retry_on").error(reason);
    }
    let (back_off_base, back_off_max) = back_off(cx, proto.retry_back_off.as_ref());
    RetryPolicy {
        on,
        num_retries: value::u32_or(proto.num_retries.as_ref(), 1),
        per_try_timeout: value::limit(cx, "per_try_timeout", proto.per_try_timeout.as_ref(), None),
        per_try_idle_timeout: value::limit(
            cx,
            "per_try_idle_timeout",
            proto.per_try_idle_timeout.as_ref(),
            None,
        ),
        retriable_status_codes: cx.each(
            "retriable_status_codes",
            &proto.retriable_status_codes,
            status,
        ),
        retriable_headers: cx.each(
            "retriable_headers",
            &proto.retriable_headers,
            matcher::header,
        ),
        retriable_request_headers: cx.each(
            "retriable_request_headers",
            &proto.retriable_request_headers,
            matcher::header,
        ),
        back_off_base,
        back_off_max,
        rate_limited: proto
            .rate_limited_retry_back_off
            .as_ref()
            .map(|proto| rate_limited(&cx.field("rate_limited_retry_back_off"), proto)),
        reselections: reselections(cx, proto),
    }
}

/// One predicate exists: hosts that were tried before.
fn reselections(cx: &Cx<'_>, proto: &proto::RetryPolicy) -> u32 {
    use proto::retry_policy::retry_host_predicate::ConfigType;
    let cx = &cx.field("retry_host_predicate");
    for (i, predicate) in proto.retry_host_predicate.iter().enumerate() {
        if let Some(ConfigType::TypedConfig(any)) = &predicate.config_type
            && value::type_name(any) == PREVIOUS_HOSTS
        {
            continue;
        }
        cx.index(i)
            .error(format!("expected a typed_config of type {PREVIOUS_HOSTS}"));
    }
    if proto.retry_host_predicate.is_empty() {
        return 0;
    }
    u32::try_from(proto.host_selection_retry_max_attempts.max(1)).unwrap_or(u32::MAX)
}

fn back_off(
    cx: &Cx<'_>,
    proto: Option<&proto::retry_policy::RetryBackOff>,
) -> (Duration, Duration) {
    let Some(proto) = proto else {
        return (BASE, BASE * 10);
    };
    let cx = &cx.field("retry_back_off");
    let base = value::duration(cx, "base_interval", proto.base_interval.as_ref()).unwrap_or(BASE);
    // less than a millisecond counts as one, as in Envoy
    let base = base.max(Duration::from_millis(1));
    let max = value::duration(cx, "max_interval", proto.max_interval.as_ref());
    let max = max.map_or(base.saturating_mul(10), |max| {
        max.max(Duration::from_millis(1))
    });
    if max < base {
        cx.field("max_interval")
            .error(format!("expected at least the base_interval, {base:?}"));
    }
    (base, max)
}

fn rate_limited(
    cx: &Cx<'_>,
    proto: &proto::retry_policy::RateLimitedRetryBackOff,
) -> RateLimitedBackOff {
    use proto::retry_policy::ResetHeaderFormat;
    let max = value::duration(cx, "max_interval", proto.max_interval.as_ref());
    RateLimitedBackOff {
        reset_headers: cx.each("reset_headers", &proto.reset_headers, |cx, header| {
            let name = value::header_name(&cx.field("name"), &header.name)?;
            let format = match header.format() {
                ResetHeaderFormat::Seconds => ResetFormat::Seconds,
                ResetHeaderFormat::UnixTimestamp => ResetFormat::UnixTimestamp,
            };
            Some((name, format))
        }),
        max_interval: max.unwrap_or(Duration::from_secs(300)),
    }
}

fn status(cx: &Cx<'_>, code: &u32) -> Option<StatusCode> {
    let status = u16::try_from(*code)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok());
    if status.is_none() {
        cx.error(format!("expected an HTTP status, got {code}"));
    }
    status
}
