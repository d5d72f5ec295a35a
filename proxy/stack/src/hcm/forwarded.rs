//! Who speaks, and how: the scheme of a request and the `x-forwarded-` headers.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tandem_core::ext::StreamInfo;
use tandem_core::{Error, Request};
use tandem_model::HttpConnectionManager;
use tandem_model::scheme::X_FORWARDED_PROTO;

use super::request::bad;
use tandem_core::headers::X_FORWARDED_FOR;

const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// A scheme that the listener sets stands in place of the one that an HTTP/2 client named.
pub(super) fn set_scheme(request: &mut Request, scheme: &str) -> Result<(), Error> {
    if request
        .uri()
        .scheme_str()
        .is_none_or(|named| named == scheme)
    {
        return Ok(());
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(scheme.parse().map_err(|_| bad("invalid_scheme"))?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| bad("invalid_scheme"))?;
    Ok(())
}

/// Says from where and by which scheme the request came; whether the latter is known.
pub(super) fn add(
    headers: &mut HeaderMap,
    manager: &HttpConnectionManager,
    info: &StreamInfo,
) -> bool {
    if let Some(list) = joined(headers.get_all(X_FORWARDED_FOR).iter()) {
        headers.insert(X_FORWARDED_FOR, list);
    }
    let scheme = match manager.scheme.as_deref() {
        Some("https") => "https",
        Some(_) => "http",
        None if info.connection.is_tls() => "https",
        None => "http",
    };
    let scheme = HeaderValue::from_static(scheme);
    if manager.use_remote_address
        && !manager.skip_xff_append
        && let Some(peer) = info.connection.remote
    {
        append_forwarded_for(headers, peer.ip());
    }
    let known = if manager.scheme.is_some()
        || manager.use_remote_address && manager.xff_num_trusted_hops == 0
    {
        headers.insert(X_FORWARDED_PROTO, scheme);
        true
    } else {
        match headers.entry(X_FORWARDED_PROTO) {
            Entry::Vacant(entry) => {
                entry.insert(scheme);
                true
            }
            Entry::Occupied(mut entry) => {
                if let Some(list) = joined(entry.iter()) {
                    entry.insert(list);
                }
                !entry.get().is_empty()
            }
        }
    };
    if manager.append_x_forwarded_port
        && let Some(local) = info.connection.local
    {
        headers
            .entry(X_FORWARDED_PORT)
            .or_insert(HeaderValue::from(local.port()));
    }
    known
}

/// Several fields are one list; whoever reads only the first would be misled.
fn joined<'a>(mut values: impl Iterator<Item = &'a HeaderValue>) -> Option<HeaderValue> {
    let first = values.next()?;
    let second = values.next()?;
    let mut list = first.as_bytes().to_vec();
    for value in std::iter::once(second).chain(values) {
        list.push(b',');
        list.extend_from_slice(value.as_bytes());
    }
    HeaderValue::from_bytes(&list).ok()
}

fn append_forwarded_for(headers: &mut HeaderMap, peer: IpAddr) {
    let mut text = String::with_capacity(48);
    for value in headers.get_all(X_FORWARDED_FOR) {
        let value = value.to_str().unwrap_or_default();
        if !value.is_empty() {
            text.push_str(value);
            text.push(',');
        }
    }
    let _ = write!(text, "{peer}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(X_FORWARDED_FOR, value);
    }
}
