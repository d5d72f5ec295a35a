//! Applying header edits.

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tandem_model::headers::{AppendAction, HeaderAdd, HeaderMutations, HeaderText};

use crate::format::{self, Context};

/// `x-request-id`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `x-forwarded-for`.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `x-envoy-original-path`: the path before it was rewritten.
pub const X_ENVOY_ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");

/// Bytes of all names and values.
pub fn size(headers: &HeaderMap) -> u64 {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    sizes.sum::<usize>() as u64
}

/// That of a response's head: a status counts with its name in HTTP/2.
pub fn response_size(headers: &HeaderMap) -> u64 {
    const STATUS: u64 = ":status".len() as u64 + 3;
    STATUS + size(headers)
}

/// Bytes of a request's names and values, where what HTTP/1 has in its first line and in `host`
/// has the names of HTTP/2: so Envoy counts them.
pub fn request_size(method: &Method, uri: &Uri, scheme: &str, headers: &HeaderMap) -> u64 {
    let authority = match (uri.authority(), headers.get(HOST)) {
        (None, None) => 0,
        (Some(authority), None) => ":authority".len() + authority.as_str().len(),
        (None, Some(_)) => ":authority".len() - HOST.as_str().len(),
        // One of them is not sent.
        (Some(authority), Some(host)) => {
            (":authority".len() + authority.as_str().len()) - HOST.as_str().len() - host.len()
        }
    };
    let path = uri
        .path_and_query()
        .map_or(0, |path| ":path".len() + path.as_str().len());
    let method = ":method".len() + method.as_str().len();
    let scheme = ":scheme".len() + scheme.len();
    (authority + path + method + scheme) as u64 + size(headers)
}

/// The value of a header to add; `None`: it is empty and such are not wanted, or it has bytes
/// that no header may have.
pub fn value(add: &HeaderAdd, context: &Context<'_>) -> Option<HeaderValue> {
    let value = match &add.value {
        HeaderText::Literal(value) => value.clone(),
        HeaderText::Format(text) => {
            let mut out = Vec::with_capacity(64);
            // A value that is missing leaves nothing in a header, unlike in a log line.
            format::write_or(text, context, b"", &mut out);
            HeaderValue::from_bytes(&out).ok()?
        }
    };
    (add.keep_empty_value || !value.is_empty()).then_some(value)
}

/// Adds a header whose value is known.
pub fn add(headers: &mut HeaderMap, add: &HeaderAdd, value: HeaderValue) {
    match add.action {
        AppendAction::AppendIfExistsOrAdd => {
            headers.append(&add.name, value);
        }
        AppendAction::AddIfAbsent => {
            headers.entry(&add.name).or_insert(value);
        }
        AppendAction::OverwriteIfExistsOrAdd => {
            headers.insert(&add.name, value);
        }
        AppendAction::OverwriteIfExists => {
            if headers.contains_key(&add.name) {
                headers.insert(&add.name, value);
            }
        }
    }
}

/// Removes the headers that one level removes.
pub fn remove(headers: &mut HeaderMap, mutations: &HeaderMutations) {
    for name in &mutations.remove {
        headers.remove(name);
    }
}

/// Removes the fields whose names are `unwanted`, which should be few: the names that came are looked
/// over once for each that goes. That is cheaper than a look-up of every name that might have come.
pub fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    while let Some(name) = headers.keys().find(|name| unwanted(name.as_str())).cloned() {
        headers.remove(name);
    }
}

/// Gives each value memory of its own, as small as it is.
///
/// Values that came over HTTP/1 are parts of what their connection has read, 8 KiB and more at a
/// time, and HPACK's table keeps values for as long as an HTTP/2 connection lasts: sent there as it
/// came, a date keeps all that came with it. (The HTTP/2 library has copied the values it read.)
pub fn own_values(headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        if let Ok(mut own) = HeaderValue::from_bytes(value.as_bytes()) {
            own.set_sensitive(value.is_sensitive());
            *value = own;
        }
    }
}

/// Whether there are fields that are about one connection only (RFC 9110, 7.6.1; `te` is not
/// counted). One look over the few names that came is cheaper than a look-up of each.
pub fn has_connection_fields(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        matches!(
            name.as_str(),
            "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
        )
    })
}

#[cfg(test)]
mod tests;
