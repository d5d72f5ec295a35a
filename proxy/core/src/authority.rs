//! Where a request's authority is: in the URI (HTTP/2) or in the `host` header (HTTP/1).
//!
//! A request keeps the form in which it came, so that nothing is rebuilt when both sides speak
//! the same protocol; only the upstream codec converts. Everybody else asks here.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, Uri};

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
