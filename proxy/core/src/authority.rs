//! Where a request's authority is: in the URI (HTTP/2) or in the `host` header (HTTP/1).
//!
//! A request keeps the form in which it came, so that nothing is rebuilt when both sides speak
//! the same protocol; only the upstream codec converts. Everybody else asks here.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

const X_ENVOY_ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The authority as text; empty if there is none or it is not ASCII.
pub fn get<B>(request: &Request<B>) -> &str {
    if let Some(authority) = request.uri().authority() {
        return authority.as_str();
    }
    request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
}

/// Replaces the authority where it stands; a value that cannot be one is left out of the URI
/// and put into the `host` header.
pub fn set<B>(request: &mut Request<B>, authority: &HeaderValue) {
    if request.uri().authority().is_some()
        && let Ok(authority) = Authority::try_from(authority.as_bytes())
    {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.authority = Some(authority);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        return;
    }
    request.headers_mut().insert(HOST, authority.clone());
}

/// Rewrites the authority as routes do: the old one is kept in `x-envoy-original-host`, and added
/// to the list of `x-forwarded-host`, if that is wanted.
pub fn rewrite<B>(request: &mut Request<B>, new: &HeaderValue, forwarded: bool, keep_old: bool) {
    if let Ok(old) = HeaderValue::from_str(get(request)) {
        if forwarded {
            append_forwarded_host(request.headers_mut(), &old);
        }
        if keep_old {
            request.headers_mut().insert(X_ENVOY_ORIGINAL_HOST, old);
        }
    }
    set(request, new);
}

/// Not twice in a row, as in Envoy.
fn append_forwarded_host(headers: &mut HeaderMap, host: &HeaderValue) {
    let mut list = Vec::new();
    for value in headers.get_all(&X_FORWARDED_HOST) {
        if value.is_empty() {
            continue;
        }
        list.extend_from_slice(value.as_bytes());
        list.push(b',');
    }
    let last = list.split(|byte| *byte == b',').rev().nth(1);
    if last == Some(host.as_bytes()) {
        list.pop();
    } else {
        list.extend_from_slice(host.as_bytes());
    }
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(X_FORWARDED_HOST, list);
    }
}

/// The path and query as text; `/` if there is none.
pub fn path_and_query<B>(request: &Request<B>) -> &str {
    request
        .uri()
        .path_and_query()
        .map_or("/", PathAndQuery::as_str)
}

/// Replaces path and query, keeping scheme and authority; `false` if it is not a valid one.
pub fn set_path_and_query<B>(request: &mut Request<B>, path: &str) -> bool {
    let Ok(path) = PathAndQuery::try_from(path) else {
        return false;
    };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = Some(path);
    match Uri::from_parts(parts) {
        Ok(uri) => {
            *request.uri_mut() = uri;
            true
        }
        Err(_) => false,
    }
}
