//! How long a request may take: the route's limit, the caller's headers, the stream's life.

mod alarm;
mod each_try;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tandem_core::grpc;

use crate::RoutePolicy;
pub(crate) use alarm::{Alarm, within};

const RQ_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-upstream-rq-timeout-ms");
const PER_TRY: HeaderName = HeaderName::from_static("x-envoy-upstream-rq-per-try-timeout-ms");
const ALT_RESPONSE: HeaderName =
    HeaderName::from_static("x-envoy-upstream-rq-timeout-alt-response");
const HEDGE: HeaderName = HeaderName::from_static("x-envoy-hedge-on-per-try-timeout");
const ALT_STAT_NAME: HeaderName = HeaderName::from_static("x-envoy-upstream-alt-stat-name");
pub(crate) const EXPECTED: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// The limits of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the end of the request to the end of the response.
    pub(crate) route: Option<Duration>,
    /// Each try, until its answer begins.
    pub(crate) per_try: Option<Duration>,
    /// Silence within a try, to the end of its answer.
    pub(crate) per_try_idle: Option<Duration>,
    /// From the start of the stream.
    pub(crate) stream: Option<Duration>,
    /// A timeout is answered with 204 instead of 504.
    pub(crate) no_content: bool,
    /// `grpc-timeout` says how long a try may take.
    pub(crate) tells_grpc: bool,
}

/// Works the limits out and tells the upstream; `has_envoy` says whether any `x-envoy-` header
/// is there, and `expected` is the header for the route's own limits, made beforehand.
pub(crate) fn plan(
    policy: &RoutePolicy,
    expected: Option<&HeaderValue>,
    headers: &mut HeaderMap,
    has_envoy: bool,
    is_grpc: bool,
) -> Limits {
    let retry = policy.retry.as_deref();
    let grpc = is_grpc.then_some(policy.max_grpc_timeout).flatten();
    let mut limits = Limits {
        route: match grpc {
            Some(max) => grpc_limit(max, policy.grpc_timeout_offset, headers),
            None => positive(policy.timeout),
        },
        per_try: retry.and_then(|retry| positive(retry.per_try_timeout)),
        per_try_idle: retry.and_then(|retry| positive(retry.per_try_idle_timeout)),
        stream: stream_limit(policy, headers, is_grpc),
        no_content: false,
        tells_grpc: grpc.is_some(),
    };
    let mut known = expected.filter(|_| grpc.is_none());
    if has_envoy {
        known = None;
        let asked = take_millis(headers, &RQ_TIMEOUT);
        let told = policy
            .router
            .respect_expected_rq_timeout
            .then(|| millis(headers, &EXPECTED))
            .flatten();
        if let Some(timeout) = told.or(asked) {
            limits.route = positive(Some(timeout));
        }
        limits.no_content = headers.contains_key(ALT_RESPONSE);
        for name in [ALT_RESPONSE, ALT_STAT_NAME, HEDGE] {
            headers.remove(name);
        }
        if let Some(timeout) = take_millis(headers, &PER_TRY) {
            limits.per_try = positive(Some(timeout));
        }
    }
    if let (Some(per_try), Some(route)) = (limits.per_try, limits.route)
        && per_try >= route
    {
        limits.per_try = None;
    }
    if let (true, Some(limit)) = (is_grpc, limits.stream) {
        // The server is told how long it has, whatever the client said.
        headers.insert(grpc::GRPC_TIMEOUT, grpc::timeout(limit));
    }
    if let (true, Some(limit)) = (limits.tells_grpc, limits.per_try.or(limits.route)) {
        headers.insert(grpc::GRPC_TIMEOUT, grpc::timeout(limit));
    }
    if !policy.router.suppress_envoy_headers {
        match known.cloned().or_else(|| expected_header(&limits)) {
            Some(value) => {
                headers.insert(EXPECTED, value);
            }
            None if has_envoy => {
                headers.remove(EXPECTED);
            }
            None => {}
        }
    }
    limits
}

/// The header that a policy's own limits amount to.
pub(crate) fn expected_by_default(policy: &RoutePolicy) -> Option<HeaderValue> {
    let per_try = policy
        .retry
        .as_deref()
        .and_then(|r| positive(r.per_try_timeout));
    let route = positive(policy.timeout);
    expected_header(&Limits {
        route,
        per_try: per_try.filter(|per_try| route.is_none_or(|route| *per_try < route)),
        per_try_idle: None,
        stream: None,
        no_content: false,
        tells_grpc: false,
    })
}

/// Tells of what is left for another try, `elapsed` after the request was complete.
pub(crate) fn tell_again(
    limits: &Limits,
    elapsed: Duration,
    suppress_envoy_headers: bool,
    headers: &mut HeaderMap,
) {
    let Some(limit) = limits.per_try.or(limits.route) else {
        return;
    };
    let left = limits.route.map_or(limit, |route| {
        limit.min(route.saturating_sub(elapsed).max(Duration::from_millis(1)))
    });
    if let (false, Ok(millis)) = (suppress_envoy_headers, u64::try_from(left.as_millis())) {
        headers.insert(EXPECTED, HeaderValue::from(millis));
    }
    if limits.tells_grpc {
        headers.insert(grpc::GRPC_TIMEOUT, grpc::timeout(left));
    }
}

fn expected_header(limits: &Limits) -> Option<HeaderValue> {
    let limit = limits.per_try.or(limits.route)?;
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    (millis > 0).then(|| HeaderValue::from(millis))
}

/// The limit of a gRPC call whose `grpc-timeout` takes the place of the route's: nought, or none, is
/// no limit but the cap.
fn grpc_limit(max: Duration, offset: Option<Duration>, headers: &HeaderMap) -> Option<Duration> {
    let asked = headers.get(grpc::GRPC_TIMEOUT);
    let asked = positive(asked.and_then(grpc::parse_timeout)).map(|asked| {
        let less = offset.and_then(|offset| positive(asked.checked_sub(offset)));
        less.unwrap_or(asked)
    });
    match (asked, positive(Some(max))) {
        (Some(asked), Some(max)) => Some(asked.min(max)),
        (asked, max) => asked.or(max),
    }
}

fn stream_limit(policy: &RoutePolicy, headers: &HeaderMap, is_grpc: bool) -> Option<Duration> {
    if let (true, Some(max)) = (is_grpc, policy.grpc_timeout_header_max)
        && let Some(asked) = headers
            .get(grpc::GRPC_TIMEOUT)
            .and_then(grpc::parse_timeout)
    {
        let capped = if max.is_zero() { asked } else { asked.min(max) };
        let offset = policy.grpc_timeout_header_offset.unwrap_or_default();
        // An offset beyond the timeout is left out, as in Envoy.
        return Some(capped.checked_sub(offset).unwrap_or(capped));
    }
    positive(policy.max_stream_duration)
}

fn positive(limit: Option<Duration>) -> Option<Duration> {
    limit.filter(|limit| !limit.is_zero())
}

fn millis(headers: &HeaderMap, name: &HeaderName) -> Option<Duration> {
    let text = headers.get(name)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_millis)
}

fn take_millis(headers: &mut HeaderMap, name: &HeaderName) -> Option<Duration> {
    let value = millis(headers, name);
    headers.remove(name);
    value
}

#[cfg(test)]
mod tests;
