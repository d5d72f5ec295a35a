//! What heads say of whether a body may be compressed, and what they say once it is.

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, TRANSFER_ENCODING, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};
use tandem_model::filter::compressor::Direction;

/// Whether the body is as long as it has to be, where the head says how long it is.
pub(super) fn is_long_enough(direction: &Direction, headers: &HeaderMap) -> bool {
    let Some(length) = headers.get(CONTENT_LENGTH) else {
        return true;
    };
    let length = length.to_str().ok().and_then(|text| text.parse().ok());
    length.is_some_and(|length: u64| length >= direction.min_content_length)
}

/// Whether its type is one that is compressed; one without a type is.
pub(super) fn is_type_allowed(direction: &Direction, headers: &HeaderMap) -> bool {
    let Some(kind) = media_type(headers) else {
        return true;
    };
    let mut types = direction.content_types.iter();
    types.any(|wanted| wanted.matches_bytes(kind))
}

/// `content-type` without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(CONTENT_TYPE)?.as_bytes();
    let kind = value.split(|&byte| byte == b';').next().unwrap_or(value);
    Some(kind.trim_ascii())
}

/// Whether the connection's own coding is no compression already.
pub(super) fn is_plain_transfer(headers: &HeaderMap) -> bool {
    const CODINGS: [&str; 5] = ["gzip", "deflate", "br", "brotli", "zstd"];
    !has_token(headers, &TRANSFER_ENCODING, &CODINGS)
}

/// `cache-control: no-transform`.
pub(super) fn forbids_transforms(headers: &HeaderMap) -> bool {
    has_token(headers, &CACHE_CONTROL, &["no-transform"])
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &[&str]) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    tokens.any(|token| {
        let token = token.trim_ascii();
        let mut wanted = wanted.iter();
        wanted.any(|wanted| token.eq_ignore_ascii_case(wanted.as_bytes()))
    })
}

/// Tells caches that the answer depends on what the client accepts.
pub(super) fn add_vary(headers: &mut HeaderMap) {
    const NAME: HeaderValue = HeaderValue::from_static("Accept-Encoding");
    let mut values = headers.get_all(VARY).iter().peekable();
    if values.peek().is_none() {
        headers.insert(VARY, NAME);
        return;
    }
    // Only if it is written so, as in Envoy: twice does no harm.
    let mut tokens = headers
        .get_all(VARY)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    if tokens.any(|token| token.trim_ascii() == NAME.as_bytes()) {
        return;
    }
    let values: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
    let mut all = values.join(&b","[..]);
    all.extend_from_slice(b", Accept-Encoding");
    if let Ok(all) = HeaderValue::from_bytes(&all) {
        headers.insert(VARY, all);
    }
}

/// A strong `etag` names bytes that are not sent: it becomes weak, or goes.
pub(super) fn loosen_etag(headers: &mut HeaderMap, weaken: bool) {
    let Some(etag) = headers.get(ETAG) else {
        return;
    };
    let value = etag.as_bytes();
    if matches!(value, [b'W' | b'w', b'/', ..]) {
        return;
    }
    match HeaderValue::from_bytes(&[b"W/", value].concat()) {
        Ok(weakened) if weaken => headers.insert(ETAG, weakened),
        _ => headers.remove(ETAG),
    };
}
