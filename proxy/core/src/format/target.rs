//! Parts of what a request was for.

use std::borrow::Cow;

use http::Uri;
use tandem_model::format::{HeaderKey, PathKind, PathSpec};

use super::Context;
use super::operator::{Kind, Out, request_header};
use crate::headers;

/// One parameter of the query, unescaped.
pub(super) fn query_parameter(out: Out<'_>, context: &Context<'_>, name: &str) -> Option<Kind> {
    let mut pairs = uri(context)?.query()?.split('&');
    let found = pairs.find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescape(key) == name.as_bytes()).then_some(value)
    })?;
    out.extend_from_slice(&unescape(found));
    Some(Kind::Text)
}

/// What the request was for.
pub(super) fn uri<'a>(context: &Context<'a>) -> Option<&'a Uri> {
    Some(match &context.request {
        Some(live) => live.uri,
        None => &context.info.logged_request()?.uri,
    })
}

/// With `%41` as `A`; what is no such escape stays.
fn unescape(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => digit(high).zip(digit(low)),
            _ => None,
        };
        match escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[2..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(plain)
}

/// The path, or a part of it.
pub(super) fn path(out: Out<'_>, context: &Context<'_>, spec: PathSpec) -> Option<Kind> {
    let start = out.len();
    let original = HeaderKey::Name(headers::X_ENVOY_ORIGINAL_PATH);
    let now = HeaderKey::Path;
    match spec.kind {
        PathKind::Original => request_header(context, &original, out)?,
        PathKind::Path => request_header(context, &now, out)?,
        PathKind::OriginalOrPath => request_header(context, &original, out)
            .or_else(|| request_header(context, &now, out))?,
    }
    if !spec.query
        && let Some(at) = out[start..].iter().position(|byte| *byte == b'?')
    {
        out.truncate(start + at);
    }
    Some(Kind::Text)
}
