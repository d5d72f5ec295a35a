//! Which outcomes are tried again: Envoy's `x-envoy-retry-on` and `x-envoy-retry-grpc-on`.

use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use tandem_core::error::{Kind, ResetReason};
use tandem_core::{Error, grpc};
use tandem_model::headers::{HeaderMatcher, HeaderValueMatch, MatchedHeader};
use tandem_model::retry::RetryOn;
use tandem_model::scheme;

use super::Retry;

const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");

/// Whether the answer is one that should be asked for again.
pub(super) fn response(retry: &Retry, status: StatusCode, headers: &HeaderMap) -> bool {
    let on = |condition| retry.on.intersects(condition);
    if headers.contains_key(RATE_LIMITED) {
        return on(RetryOn::ENVOY_RATE_LIMITED);
    }
    let policy = retry.policy.as_deref();
    (on(RetryOn::SERVER_ERROR) && status.is_server_error())
        || (on(RetryOn::GATEWAY_ERROR) && matches!(status.as_u16(), 502..=504))
        || (on(RetryOn::RETRIABLE_4XX) && status == StatusCode::CONFLICT)
        || (on(RetryOn::RETRIABLE_STATUS_CODES)
            && (retry.status_codes.contains(&status)
                || policy.is_some_and(|policy| policy.retriable_status_codes.contains(&status))))
        || (on(RetryOn::RETRIABLE_HEADERS)
            && (retry
                .header_names
                .iter()
                .any(|name| headers.contains_key(name))
                || policy.is_some_and(|policy| {
                    let mut matchers = policy.retriable_headers.iter();
                    matchers.any(|matcher| header_matches(matcher, headers))
                })))
        || grpc_status(headers).is_some_and(on)
}

fn grpc_status(headers: &HeaderMap) -> Option<RetryOn> {
    Some(match headers.get(grpc::GRPC_STATUS)?.as_bytes() {
        b"1" => RetryOn::GRPC_CANCELLED,
        b"4" => RetryOn::GRPC_DEADLINE_EXCEEDED,
        b"8" => RetryOn::GRPC_RESOURCE_EXHAUSTED,
        b"13" => RetryOn::GRPC_INTERNAL,
        b"14" => RetryOn::GRPC_UNAVAILABLE,
        _ => return None,
    })
}

/// Whether a try without an answer should be made again.
pub(super) fn failure(on: RetryOn, error: &Error) -> bool {
    // "Currently we count an upstream reset as a 5xx, since it will result in one."
    let any = RetryOn::SERVER_ERROR
        .union(RetryOn::GATEWAY_ERROR)
        .union(RetryOn::RESET);
    match error.kind() {
        Kind::ConnectFailure(_) => on.intersects(
            any.union(RetryOn::CONNECT_FAILURE)
                .union(RetryOn::RESET_BEFORE_REQUEST),
        ),
        Kind::PerTryTimeout | Kind::PerTryIdleTimeout => on.intersects(any),
        Kind::UpstreamReset(reset) => {
            on.intersects(any)
                || (reset.reason == ResetReason::RemoteRefused
                    && on.intersects(RetryOn::REFUSED_STREAM))
                || (!reset.request_sent && on.intersects(RetryOn::RESET_BEFORE_REQUEST))
        }
        // Never: a full breaker, a client that left, a limit on the whole request, a refusal.
        _ => false,
    }
}

/// Whether a matcher of `retriable_request_headers` takes the request.
pub(super) fn request_matches(matcher: &HeaderMatcher, head: &Parts) -> bool {
    match &matcher.name {
        MatchedHeader::Name(_) => header_matches(matcher, &head.headers),
        MatchedHeader::Method => decide(matcher, Some(head.method.as_str())),
        MatchedHeader::Path => decide(matcher, head.uri.path_and_query().map(|p| p.as_str())),
        MatchedHeader::Authority => {
            let host = head.headers.get(http::header::HOST);
            let host = host.and_then(|host| host.to_str().ok());
            decide(matcher, head.uri.authority().map(|a| a.as_str()).or(host))
        }
        MatchedHeader::Scheme => {
            let scheme = scheme::of(head.uri.scheme_str(), &head.headers, false);
            decide(matcher, Some(scheme))
        }
    }
}

fn header_matches(matcher: &HeaderMatcher, headers: &HeaderMap) -> bool {
    let MatchedHeader::Name(name) = &matcher.name else {
        return false;
    };
    let mut values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    match (values.next(), values.next()) {
        (first, None) => decide(matcher, first),
        (Some(first), Some(second)) => {
            let mut joined = format!("{first},{second}");
            for value in values {
                joined.push(',');
                joined.push_str(value);
            }
            decide(matcher, Some(&joined))
        }
        (None, Some(_)) => false,
    }
}

fn decide(matcher: &HeaderMatcher, value: Option<&str>) -> bool {
    if let HeaderValueMatch::Present(wanted) = &matcher.value {
        let present = value.is_some() || matcher.treat_missing_as_empty;
        return (present == *wanted) != matcher.invert;
    }
    let value = match value {
        Some(value) => value,
        None if matcher.treat_missing_as_empty => "",
        None => return false,
    };
    let matched = match &matcher.value {
        HeaderValueMatch::Present(_) => true,
        HeaderValueMatch::String(string) => string.matches(value),
        HeaderValueMatch::Range { start, end } => value
            .parse::<i64>()
            .is_ok_and(|number| (*start..*end).contains(&number)),
    };
    matched != matcher.invert
}
