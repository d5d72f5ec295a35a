//! How long a request may take: the route's limit, the caller's headers, the stream's life.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::StreamInfo;
use tandem_core::{Error, ResponseFlags, grpc};
use tokio::time::{Instant, Sleep};

use crate::RoutePolicy;
use crate::upload::{Stream, Upload};

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
    /// Each try.
    pub(crate) per_try: Option<Duration>,
    /// Silence within a try.
    pub(crate) per_try_idle: Option<Duration>,
    /// From the start of the stream.
    pub(crate) stream: Option<Duration>,
    /// A timeout is answered with 204 instead of 504.
    pub(crate) no_content: bool,
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
    let mut limits = Limits {
        route: positive(policy.timeout),
        per_try: retry.and_then(|retry| positive(retry.per_try_timeout)),
        per_try_idle: retry.and_then(|retry| positive(retry.per_try_idle_timeout)),
        stream: stream_limit(policy, headers, is_grpc),
        no_content: false,
    };
    let mut known = expected;
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
    if let (true, Some(_), Some(limit)) = (is_grpc, policy.grpc_timeout_max, limits.stream) {
        // The server is told what is left of the client's time.
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
    })
}

/// The header for another try, `elapsed` after the request was complete.
pub(crate) fn expected_again(limits: &Limits, elapsed: Duration) -> Option<HeaderValue> {
    let limit = limits.per_try.or(limits.route)?;
    let left = limits.route.map_or(limit, |route| {
        limit.min(route.saturating_sub(elapsed).max(Duration::from_millis(1)))
    });
    u64::try_from(left.as_millis()).ok().map(HeaderValue::from)
}

fn expected_header(limits: &Limits) -> Option<HeaderValue> {
    let limit = limits.per_try.or(limits.route)?;
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    (millis > 0).then(|| HeaderValue::from(millis))
}

fn stream_limit(policy: &RoutePolicy, headers: &HeaderMap, is_grpc: bool) -> Option<Duration> {
    if let (true, Some(max)) = (is_grpc, policy.grpc_timeout_max)
        && let Some(asked) = headers
            .get(grpc::GRPC_TIMEOUT)
            .and_then(grpc::parse_timeout)
    {
        let capped = if max.is_zero() { asked } else { asked.min(max) };
        let offset = policy.grpc_timeout_offset.unwrap_or_default();
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

/// Rings when the first of a request's limits has passed.
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    first: Limit,
    route: Option<Duration>,
    /// The limits that run from the start.
    fixed: [(Option<Instant>, Limit); 2],
    /// The route's limit begins when this has ended.
    upload: Option<Arc<Stream>>,
}

/// What has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Route,
    Stream,
    UpstreamStream,
}

impl Alarm {
    /// `None` if nothing limits the request.
    pub(crate) fn new(
        limits: &Limits,
        upload: &Upload,
        info: &StreamInfo,
        upstream_stream: Option<Duration>,
    ) -> Option<Self> {
        let upstream_stream = positive(upstream_stream);
        if limits.route.is_none() && limits.stream.is_none() && upstream_stream.is_none() {
            return None;
        }
        let stream = limits.stream.map(|l| Instant::from_std(info.start) + l);
        let upstream = upstream_stream.map(|limit| Instant::now() + limit);
        let mut alarm = Self {
            sleep: None,
            first: Limit::Route,
            route: limits.route,
            fixed: [(stream, Limit::Stream), (upstream, Limit::UpstreamStream)],
            upload: upload.unfinished().cloned(),
        };
        if let Some(at) = alarm.set()
            && alarm.upload.is_none()
        {
            info.mark_ends_by(at.into_std().saturating_duration_since(info.start));
        }
        Some(alarm)
    }

    /// Sets the timer to the first limit.
    fn set(&mut self) -> Option<Instant> {
        let route = match (&self.upload, self.route) {
            (None, Some(route)) => Some(Instant::now() + route),
            _ => None,
        };
        let [stream, upstream] = self.fixed;
        let first = [(route, Limit::Route), stream, upstream]
            .into_iter()
            .filter_map(|(at, limit)| Some((at?, limit)))
            .min_by_key(|(at, _)| *at);
        let (at, limit) = first?;
        self.first = limit;
        self.sleep = Some(Box::pin(tokio::time::sleep_until(at)));
        Some(at)
    }

    /// The error to fail with, once a limit has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if let Some(upload) = &self.upload {
            upload.wake_at_end(cx);
            if upload.has_ended() {
                self.upload = None;
                self.set();
            }
        }
        let Some(sleep) = &mut self.sleep else {
            return Poll::Pending;
        };
        sleep.as_mut().poll(cx).map(|()| match self.first {
            Limit::Route => Error::new(Kind::RequestTimeout),
            Limit::Stream => Error::new(Kind::MaxStreamDuration),
            Limit::UpstreamStream => Error::reply(
                LocalReply::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "upstream max stream duration reached",
                    "upstream_max_stream_duration_reached",
                )
                .flags(ResponseFlags::UPSTREAM_MAX_STREAM_DURATION_REACHED),
            ),
        })
    }
}

/// Polls `future` until it is done or the alarm rings.
pub(crate) async fn within<F: Future + Unpin>(
    alarm: &mut Option<Alarm>,
    mut future: F,
) -> Result<F::Output, Error> {
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match alarm {
            Some(alarm) => alarm.poll(cx).map(Err),
            None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests;
