//! Metadata to headers and back.

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName};
use tandem_core::grpc::{GRPC_MESSAGE, GRPC_STATUS, GRPC_TIMEOUT};

/// Metadata of a call: its time limit in milliseconds.
pub(super) const TIMEOUT: HeaderName = HeaderName::from_static("rpc_request_timeout");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What a request's metadata does not hand on: gRPC's own headers, those of the connection, and
/// what describes the body or how the API was called.
const REQUEST: [HeaderName; 16] = [
    CONTENT_TYPE,
    TE,
    GRPC_TIMEOUT,
    HeaderName::from_static("grpc-accept-encoding"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-previous-rpc-attempts"),
    TIMEOUT,
    HeaderName::from_static("x-forwarded-proto"),
    CONTENT_LENGTH,
    HOST,
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    TRAILER,
];

/// What a response's headers do not hand back. `content-length` above all: it is that of the
/// body inside the message, and clients reset a stream for which it is wrong.
const RESPONSE: [HeaderName; 13] = [
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    TRAILER,
    TE,
    GRPC_STATUS,
    GRPC_MESSAGE,
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("grpc-encoding"),
];

/// Metadata as request headers.
pub(super) fn to_request(mut metadata: HeaderMap) -> HeaderMap {
    for name in &REQUEST {
        metadata.remove(name);
    }
    metadata
}

/// Response headers as metadata.
pub(super) fn to_metadata(mut headers: HeaderMap) -> HeaderMap {
    for name in &RESPONSE {
        headers.remove(name);
    }
    headers
}
