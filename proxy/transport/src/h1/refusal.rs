//! Why the HTTP/1 codec refuses a request, and Envoy's answer to it.

use http::StatusCode;
use tandem_core::ResponseFlags;
use tandem_core::error::LocalReply;

/// A message that is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not the grammar, or ambiguous.
    Codec,
    /// `Content-Length` beside `Transfer-Encoding`.
    LengthAndChunked,
    /// A control character.
    InvalidCharacters,
    /// A target that is not one.
    InvalidUrl,
    /// An absolute target that is not `http` or `https`.
    InvalidScheme,
    /// An absolute target with a query and no path before it.
    NoPath,
    /// A host with characters that no host has.
    InvalidAuthority,
    /// A transfer coding other than exactly `chunked`.
    TransferEncoding,
    /// A `Connection` that names what must stay, or too much.
    Connection,
    /// More header bytes than allowed.
    HeadersTooLarge,
    /// More headers than allowed.
    TooManyHeaders,
    /// HTTP/1.0 where it is not accepted, or a version that does not exist.
    Version,
}

impl Refusal {
    /// The answer; the connection ends with it.
    pub fn reply(self) -> LocalReply {
        let (status, details) = match self {
            Self::Codec => (StatusCode::BAD_REQUEST, "http1.codec_error"),
            Self::LengthAndChunked => (
                StatusCode::BAD_REQUEST,
                "http1.content_length_and_chunked_not_allowed",
            ),
            Self::InvalidCharacters => (StatusCode::BAD_REQUEST, "http1.invalid_characters"),
            Self::InvalidUrl => (StatusCode::BAD_REQUEST, "http1.invalid_url"),
            Self::InvalidScheme => (StatusCode::BAD_REQUEST, "http1.invalid_scheme"),
            Self::NoPath => (StatusCode::NOT_FOUND, "absolute_path_rejected"),
            Self::InvalidAuthority => (StatusCode::BAD_REQUEST, "http.invalid_authority"),
            Self::TransferEncoding => (
                StatusCode::NOT_IMPLEMENTED,
                "http1.invalid_transfer_encoding",
            ),
            Self::Connection => (StatusCode::BAD_REQUEST, "http1.connection_header_rejected"),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "http1.headers_too_large",
            ),
            Self::TooManyHeaders => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "http1.too_many_headers",
            ),
            Self::Version => (StatusCode::UPGRADE_REQUIRED, "low_version"),
        };
        let text = status.canonical_reason().unwrap_or_default();
        LocalReply::new(status, text, details)
            .flags(ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR)
            .close()
    }
}
