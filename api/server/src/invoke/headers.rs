//! Metadata to headers and back.

use http::HeaderMap;
use tandem_core::headers::remove_where;

/// Metadata of a call: its time limit in milliseconds.
pub(super) const TIMEOUT: &str = "rpc_request_timeout";

/// What is about a connection, not about a message (RFC 9110, 7.6.1).
fn of_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What a request's metadata does not hand on: gRPC's own headers, those of the connection, and
/// what describes the body or how the API was called.
fn of_api_call(name: &str) -> bool {
    of_connection(name)
        || matches!(
            name,
            "content-length"
                | "content-type"
                | "grpc-accept-encoding"
                | "grpc-encoding"
                | "grpc-previous-rpc-attempts"
                | "grpc-timeout"
                | "host"
                | TIMEOUT
                | "x-forwarded-proto"
        )
}

/// What a response's headers do not hand back. `content-length` above all: it is that of the
/// body inside the message, and clients reset a stream for which it is wrong.
fn of_answer(name: &str) -> bool {
    of_connection(name)
        || matches!(
            name,
            "content-length"
                | "content-type"
                | "grpc-encoding"
                | "grpc-message"
                | "grpc-status"
                | "grpc-status-details-bin"
        )
}

/// Metadata as request headers.
pub(super) fn to_request(mut metadata: HeaderMap) -> HeaderMap {
    remove_where(&mut metadata, of_api_call);
    metadata
}

/// Response headers as metadata.
pub(super) fn to_metadata(mut headers: HeaderMap) -> HeaderMap {
    remove_where(&mut headers, of_answer);
    headers
}
