//! Which outcomes are tried again: Envoy's `x-envoy-retry-on` and `x-envoy-retry-grpc-on`.

use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use tandem_core::error::{Kind, ResetReason};
use tandem_core::{Error, grpc};
use tandem_model::matching::RequestView;
use tandem_model::retry::RetryOn;

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
                    matchers.any(|matcher| matcher.matches_headers(headers))
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

/// The request as the matchers of `retriable_request_headers` see it.
pub(super) fn view(head: &Parts) -> RequestView<'_> {
    let host = head.headers.get(http::header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let authority = head.uri.authority().map(|authority| authority.as_str());
    RequestView {
        method: &head.method,
        path_and_query: head.uri.path_and_query().map_or("/", |path| path.as_str()),
        authority: authority.or(host).unwrap_or_default(),
        uri_scheme: head.uri.scheme_str(),
        encrypted: false,
        headers: &head.headers,
        is_grpc: false,
        random: 0,
    }
}
