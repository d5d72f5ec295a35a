//! What a gRPC request is, and how HTTP statuses and gRPC statuses map.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// `grpc-status`.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// `grpc-message`.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// `grpc-timeout`.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The status of a call that took too long.
pub const DEADLINE_EXCEEDED: u32 = 4;

/// Whether the headers are those of a gRPC message: `application/grpc`, alone or followed by
/// `+` (Envoy's `Grpc::Common::hasGrpcContentType`).
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .is_some_and(|value| {
            value
                .strip_prefix(b"application/grpc")
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
        })
}

/// The gRPC status for an HTTP status that came without one (grpc's
/// `http-grpc-status-mapping.md`): 200 alone says nothing, so it is unknown.
pub fn status_from_http(status: StatusCode) -> u32 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// Percent-encodes a message for `grpc-message`: printable ASCII but `%` stays.
pub fn encode_message(message: &[u8]) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(message.len());
    for &byte in message {
        if (0x20..=0x7e).contains(&byte) && byte != b'%' {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
    HeaderValue::from_bytes(&out).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Writes `grpc-timeout`, in whole milliseconds, rounded up, or in seconds from 28 hours on.
pub fn timeout(limit: std::time::Duration) -> HeaderValue {
    let millis = limit.as_nanos().div_ceil(1_000_000);
    let text = match millis {
        0..=99_999_999 => format!("{millis}m"),
        _ => format!("{}S", limit.as_secs().min(99_999_999)),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("99999999S"))
}

/// Parses `grpc-timeout`: up to eight digits and a unit.
pub fn parse_timeout(value: &HeaderValue) -> Option<std::time::Duration> {
    use std::time::Duration;
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}
