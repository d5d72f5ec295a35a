//! Sizes of heads.

use std::sync::atomic::Ordering::Relaxed;

use tandem_model::scheme;

use super::Context;
use crate::ext::Protocol;
use crate::headers;

/// Of the request's head: as it is now, or as it went on.
pub(super) fn request(context: &Context<'_>) -> Option<u64> {
    let info = context.info;
    if let Some(live) = &context.request {
        let encrypted = info.connection.is_tls();
        let scheme = scheme::of(live.uri.scheme_str(), live.headers, encrypted);
        let size = headers::request_size(live.method, live.uri, scheme, live.headers);
        return Some(size);
    }
    noted(context, &info.request_header_bytes)
}

/// Of the response's head: as it is now, or as it went to the client.
pub(super) fn response(context: &Context<'_>) -> Option<u64> {
    match (context.response, context.duration) {
        // Logs have only those fields that they show.
        (Some((_, fields)), None) => Some(headers::response_size(fields)),
        _ => noted(context, &context.info.response_header_bytes),
    }
}

fn noted(context: &Context<'_>, size: &std::sync::atomic::AtomicU64) -> Option<u64> {
    let info = context.info;
    let is_known = info.is_measured() || info.protocol == Protocol::Tcp;
    is_known.then(|| size.load(Relaxed))
}
