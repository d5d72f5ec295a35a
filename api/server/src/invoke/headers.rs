//! Metadata to headers and back.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};
use tandem_core::headers::{own_values, remove_where};

/// Metadata of a call: its time limit in milliseconds.
pub(super) const TIMEOUT: &str = "rpc_request_timeout";

/// Base64 with padding or without.
const EITHER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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

/// An HTTP answer's headers as metadata. Clients take no value of a `-bin` name that is not base64.
pub(super) fn of_http(headers: &mut HeaderMap) {
    for (name, value) in headers {
        if name.as_str().ends_with("-bin") && !is_base64(value.as_bytes()) {
            let encoded = STANDARD_NO_PAD.encode(value.as_bytes());
            if let Ok(encoded) = HeaderValue::try_from(encoded) {
                *value = encoded;
            }
        }
    }
}

/// With padding or without, as clients take it; several may stand in one line.
fn is_base64(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b',');
    parts.all(|part| EITHER.decode(part.trim_ascii()).is_ok())
}

/// A status' details, whoever understands them.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What a gRPC application said with a status other than OK.
pub(super) fn with_status(mut headers: HeaderMap) -> HeaderMap {
    let details = headers.remove(DETAILS);
    remove_where(&mut headers, of_answer);
    headers.extend(details.map(|details| (DETAILS, details)));
    own_values(&mut headers);
    headers
}

/// Response headers as metadata.
pub(super) fn to_metadata(mut headers: HeaderMap) -> HeaderMap {
    remove_where(&mut headers, of_answer);
    headers
}
