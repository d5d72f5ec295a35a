//! Under which scheme a request came: HTTP/2 says it, HTTP/1 does not.
//!
//! Whoever asks, be it a matcher, a redirect, an operator or the upstream codec, asks here, so that
//! all get one answer. Semantics: Envoy's `ConnectionManagerUtility::mutateRequestHeaders`.

use http::{HeaderMap, HeaderName, HeaderValue};

/// What a proxy in front says it was spoken to.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The scheme that the URI names, else what was forwarded, else whether the connection is encrypted.
pub fn of<'a>(named: Option<&'a str>, headers: &HeaderMap, encrypted: bool) -> &'a str {
    named.unwrap_or_else(|| forwarded(headers.get(X_FORWARDED_PROTO), encrypted))
}

/// The scheme of a request whose URI says none.
///
/// What was forwarded comes from outside and ends up in locations: only `http` and `https` count.
pub fn forwarded(value: Option<&HeaderValue>, encrypted: bool) -> &'static str {
    let given = value.map_or(&b""[..], HeaderValue::as_bytes);
    if given.eq_ignore_ascii_case(b"https") {
        "https"
    } else if given.eq_ignore_ascii_case(b"http") || !encrypted {
        "http"
    } else {
        "https"
    }
}

#[cfg(test)]
mod tests;
