//! The one place where a mesh error becomes an answer: status, text, flags, details.
//!
//! Statuses, texts and details are Envoy's, since users alert on them.

use std::borrow::Cow;

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use crate::error::{ConnectFailure, Kind, LocalReply, ResetReason, UpstreamReset};
use crate::ext::LocalAnswer;
use crate::{Body, Error, Response, ResponseFlags, grpc};

/// What to answer for an error; `None` when nobody is left to be answered.
pub fn reply(error: &Error) -> Option<LocalReply> {
    let mut reply = by_kind(error)?;
    for (name, value) in error.reply_headers() {
        reply.headers.append(name, value.clone());
    }
    Some(reply)
}

fn by_kind(error: &Error) -> Option<LocalReply> {
    use ResponseFlags as F;
    use StatusCode as S;
    Some(match error.kind() {
        Kind::NoRoute => LocalReply::new(S::NOT_FOUND, "", "route_not_found").flags(F::NO_ROUTE),
        Kind::ClusterNotFound(status) => {
            LocalReply::new(*status, "", "cluster_not_found").flags(F::NO_CLUSTER_FOUND)
        }
        Kind::NoHealthyUpstream => LocalReply::new(
            S::SERVICE_UNAVAILABLE,
            "no healthy upstream",
            "no_healthy_upstream",
        )
        .flags(F::NO_HEALTHY_UPSTREAM),
        Kind::Overflow => upstream("overflow", error, F::UPSTREAM_OVERFLOW)
            .header(X_ENVOY_OVERLOADED, HeaderValue::from_static("true")),
        Kind::ConnectFailure(ConnectFailure::Refused) => upstream(
            "remote connection failure",
            error,
            F::UPSTREAM_CONNECTION_FAILURE,
        ),
        Kind::ConnectFailure(ConnectFailure::Bind | ConnectFailure::Option) => upstream(
            "local connection failure",
            error,
            F::UPSTREAM_CONNECTION_FAILURE,
        ),
        Kind::ConnectFailure(ConnectFailure::Timeout) => {
            upstream("connection timeout", error, F::UPSTREAM_CONNECTION_FAILURE)
        }
        Kind::UpstreamReset(reset) => reset_reply(reset, error),
        Kind::RequestTimeout => LocalReply::new(
            S::GATEWAY_TIMEOUT,
            "upstream request timeout",
            "response_timeout",
        )
        .flags(F::UPSTREAM_REQUEST_TIMEOUT),
        Kind::PerTryTimeout => LocalReply::new(
            S::GATEWAY_TIMEOUT,
            "upstream request timeout",
            "upstream_per_try_timeout",
        )
        .flags(F::UPSTREAM_REQUEST_TIMEOUT),
        Kind::PerTryIdleTimeout => LocalReply::new(
            S::GATEWAY_TIMEOUT,
            "upstream request timeout",
            "upstream_per_try_idle_timeout",
        )
        .flags(F::UPSTREAM_REQUEST_TIMEOUT),
        Kind::StreamIdleTimeout => {
            LocalReply::new(S::REQUEST_TIMEOUT, "stream timeout", "stream_idle_timeout")
                .flags(F::STREAM_IDLE_TIMEOUT)
        }
        Kind::DownstreamRequestTimeout => LocalReply::new(
            S::REQUEST_TIMEOUT,
            "request timeout",
            "request_overall_timeout",
        ),
        Kind::MaxStreamDuration => LocalReply::new(
            S::REQUEST_TIMEOUT,
            "downstream duration timeout",
            "max_duration_timeout",
        )
        .grpc(grpc::DEADLINE_EXCEEDED),
        Kind::DownstreamReset => return None,
        Kind::Reply(reply) => (**reply).clone(),
    })
}

const X_ENVOY_OVERLOADED: http::HeaderName = http::HeaderName::from_static("x-envoy-overloaded");

fn reset_reply(reset: &UpstreamReset, error: &Error) -> LocalReply {
    use ResponseFlags as F;
    match reset.reason {
        ResetReason::Remote => upstream("remote reset", error, F::UPSTREAM_REMOTE_RESET),
        ResetReason::RemoteRefused => upstream(
            "remote refused stream reset",
            error,
            F::UPSTREAM_REMOTE_RESET,
        ),
        ResetReason::ConnectionTermination => upstream(
            "connection termination",
            error,
            F::UPSTREAM_CONNECTION_TERMINATION,
        ),
        ResetReason::Local => upstream("local reset", error, F::LOCAL_RESET),
        ResetReason::Protocol => {
            let mut reply = upstream("protocol error", error, F::UPSTREAM_PROTOCOL_ERROR);
            reply.status = StatusCode::BAD_GATEWAY;
            reply
        }
    }
}

fn upstream(reason: &str, error: &Error, flags: ResponseFlags) -> LocalReply {
    // The transport's reason is for logs, not for clients, and is one word there.
    let cause = match (error.kind(), error.cause()) {
        (Kind::ConnectFailure(_), Some(cause)) => format!("|{cause}"),
        _ => String::new(),
    };
    let details = format!("upstream_reset_before_response_started{{{reason}{cause}}}");
    let details = details.replace(' ', "_");
    let text = format!(
        "upstream connect error or disconnect/reset before headers. reset reason: {reason}"
    );
    LocalReply::new(StatusCode::SERVICE_UNAVAILABLE, text, details).flags(flags)
}

/// Builds the answer: plain HTTP, or for a gRPC request a trailers-only response.
pub fn respond(reply: LocalReply, is_grpc: bool, is_head: bool) -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(LocalAnswer);
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    if reply.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if is_grpc {
        let status = reply
            .grpc
            .unwrap_or_else(|| grpc::status_from_http(reply.status));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(grpc::GRPC_STATUS, HeaderValue::from(status));
        if !reply.body.is_empty() {
            headers.insert(grpc::GRPC_MESSAGE, grpc::encode_message(&reply.body));
        }
        return response;
    }
    if !reply.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
        if !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
    }
    *response.status_mut() = reply.status;
    if !is_head {
        *response.body_mut() = Body::from(reply.body);
    }
    response
}

/// Why an answer broke off that had begun: `%RESPONSE_CODE_DETAILS%`.
pub fn late_details(error: &Error, reply: &LocalReply) -> Cow<'static, str> {
    match error.kind() {
        Kind::UpstreamReset(_) => {
            let details = reply
                .details
                .replacen("before_response", "after_response", 1);
            Cow::Owned(details)
        }
        _ => reply.details.clone(),
    }
}

/// The gRPC trailers for a response body that broke after its headers were sent, so that a
/// client sees a status and not only a reset.
pub fn late_trailers(error: &Error) -> http::HeaderMap {
    let (status, message): (u32, Cow<'static, [u8]>) = match reply(error) {
        Some(reply) => (
            reply
                .grpc
                .unwrap_or_else(|| grpc::status_from_http(reply.status)),
            Cow::Owned(reply.body.to_vec()),
        ),
        None => (1, Cow::Borrowed(b"the client went away")),
    };
    let mut trailers = http::HeaderMap::with_capacity(2);
    trailers.insert(grpc::GRPC_STATUS, HeaderValue::from(status));
    trailers.insert(grpc::GRPC_MESSAGE, grpc::encode_message(&message));
    trailers
}

#[cfg(test)]
mod tests;
