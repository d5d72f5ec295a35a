use tandem_core::error::{ConnectFailure, Kind, ResetReason};
use tandem_model::retry::{RateLimitedBackOff, ResetFormat};

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            http::HeaderValue::from_static(value),
        )
    });
    pairs.collect()
}

fn asked(pairs: &[(&'static str, &'static str)]) -> Option<Box<Retry>> {
    let mut head = http::Request::new(()).into_parts().0;
    head.headers = headers(pairs);
    let retry = Retry::plan(None, &mut head, true);
    assert!(head.headers.is_empty(), "{:?}", head.headers);
    retry
}

/// A request's own headers ask for retries, and are not passed on.
#[test]
fn headers_ask_for_retries() {
    let retry = asked(&[("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "3")]).unwrap();
    assert_eq!(retry.remaining, 3);
    assert!(asked(&[("x-envoy-max-retries", "3")]).is_none());
    assert!(asked(&[("x-envoy-retry-on", "nonsense")]).is_none());
}

/// Statuses, gRPC statuses and named headers are conditions.
#[test]
fn answers_meet_conditions() {
    let check = |on, status: u16, answer: &[(&'static str, &'static str)]| {
        let retry = asked(&[
            ("x-envoy-retry-on", on),
            ("x-envoy-retriable-status-codes", "418, 429"),
            ("x-envoy-retriable-header-names", "x-again"),
        ]);
        let status = StatusCode::from_u16(status).unwrap();
        conditions::response(&retry.unwrap(), status, &headers(answer))
    };
    assert!(check("5xx", 500, &[]));
    assert!(!check("5xx", 404, &[]));
    assert!(check("gateway-error", 503, &[]));
    assert!(!check("gateway-error", 500, &[]));
    assert!(check("retriable-4xx", 409, &[]));
    assert!(check("retriable-status-codes", 418, &[]));
    assert!(!check("retriable-status-codes", 419, &[]));
    assert!(check("retriable-headers", 200, &[("x-again", "1")]));
    assert!(check("unavailable", 200, &[("grpc-status", "14")]));
    assert!(!check("unavailable", 200, &[("grpc-status", "4")]));
    assert!(!check("5xx", 503, &[("x-envoy-ratelimited", "true")]));
}

/// Which failures count depends on how far the request got.
#[test]
fn failures_meet_conditions() {
    let refused = Error::new(Kind::ConnectFailure(ConnectFailure::Refused));
    let cut = Error::upstream_reset(ResetReason::ConnectionTermination, true);
    let unsent = Error::upstream_reset(ResetReason::ConnectionTermination, false);
    let unwanted = Error::upstream_reset(ResetReason::RemoteRefused, true);
    let check = |on, error: &Error| conditions::failure(RetryOn::parse(on).0, error);
    assert!(check("connect-failure", &refused));
    assert!(!check("connect-failure", &cut));
    assert!(check("reset", &cut));
    assert!(check("reset-before-request", &unsent));
    assert!(!check("reset-before-request", &cut));
    assert!(check("refused-stream", &unwanted));
    assert!(!check("refused-stream", &cut));
    assert!(!check("5xx", &Error::new(Kind::Overflow)));
    assert!(!check("5xx", &Error::new(Kind::RequestTimeout)));
}

/// Waits grow, stay below their bound and are never zero.
#[test]
fn back_off_is_bounded() {
    let mut back_off = BackOff::new(Duration::from_millis(10), Duration::from_millis(40));
    for bound in [10, 20, 40, 40] {
        let wait = back_off.next().as_millis();
        assert!((1..=bound).contains(&wait), "{wait} of {bound}");
    }
}

/// What the upstream asks for is waited for, unless it is too long, and never cut short.
#[test]
fn an_answer_says_when_to_try_again() {
    let policy = RateLimitedBackOff {
        reset_headers: vec![
            (
                HeaderName::from_static("x-reset"),
                ResetFormat::UnixTimestamp,
            ),
            (HeaderName::from_static("retry-after"), ResetFormat::Seconds),
        ],
        max_interval: Duration::from_secs(20),
    };
    let asked = |answer: &HeaderMap| back_off::asked(&policy, answer).map(|wait| wait.as_millis());
    for (answer, expected) in [
        (headers(&[("retry-after", "2")]), Some(2_000..3_000)),
        (headers(&[("retry-after", "20")]), Some(20_000..30_000)),
        (headers(&[("retry-after", "0")]), Some(0..1)),
        (headers(&[("retry-after", "21")]), None),
        (headers(&[("retry-after", "-1")]), None),
        (headers(&[("retry-after", "soon")]), None),
        (headers(&[("x-reset", "1")]), None),
        (
            headers(&[("x-reset", "1"), ("retry-after", "2")]),
            Some(2_000..3_000),
        ),
        (
            headers(&[("x-reset", "99999999999"), ("retry-after", "2")]),
            Some(2_000..3_000),
        ),
        (headers(&[("x-other", "2")]), None),
    ] {
        let wait = asked(&answer);
        let met = match &expected {
            Some(range) => wait.is_some_and(|wait| range.contains(&wait)),
            None => wait.is_none(),
        };
        assert!(met, "{answer:?}: {wait:?}, expected {expected:?}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = now.unwrap().as_secs() + 10;
    let mut answer = HeaderMap::new();
    answer.insert("x-reset", at.to_string().parse().unwrap());
    let wait = asked(&answer).unwrap();
    assert!((5_000..15_000).contains(&wait), "{wait}");
}
