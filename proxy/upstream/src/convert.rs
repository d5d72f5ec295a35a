//! Between the HTTP/1 and the HTTP/2 form of a request head.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use tandem_core::Error;
use tandem_core::error::LocalReply;
use tandem_core::headers::{has_connection_fields, own_values};
use tandem_model::scheme::{self, X_FORWARDED_PROTO};

use crate::upload::Outgoing;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Origin form and a `host` header; chunked where the length is not known.
pub(crate) fn to_http1(head: &mut Parts, body: &Outgoing) {
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    head.version = Version::HTTP_11;
    if head.uri.scheme().is_some() || head.uri.authority().is_some() {
        let parts = std::mem::take(&mut head.uri).into_parts();
        if let Some(authority) = &parts.authority
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            head.headers.insert(HOST, host);
        }
        head.uri = parts.path_and_query.map_or_else(Uri::default, Uri::from);
    }
    match body {
        Outgoing::Empty | Outgoing::Full(None) => {
            head.headers.remove(TRANSFER_ENCODING);
            let bodiless = [
                Method::GET,
                Method::HEAD,
                Method::DELETE,
                Method::TRACE,
                Method::CONNECT,
            ];
            if !bodiless.contains(&head.method) && !head.headers.contains_key(UPGRADE) {
                let nought = HeaderValue::from_static("0");
                head.headers.entry(CONTENT_LENGTH).or_insert(nought);
            }
        }
        Outgoing::Full(Some(_)) | Outgoing::Stream { .. } => {
            if !head.headers.contains_key(CONTENT_LENGTH) {
                // Said outright, since hyper assumes that a GET has no body.
                let chunked = HeaderValue::from_static("chunked");
                head.headers.insert(TRANSFER_ENCODING, chunked);
            }
        }
    }
}

/// HTTP/2 clients split cookies; HTTP/1 has one field of them (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().collect();
    if cookies.len() < 2 {
        return;
    }
    let joined: Vec<_> = cookies.iter().map(|cookie| cookie.as_bytes()).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&joined.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Scheme, authority and path in the URI; nothing that belongs to a connection.
pub(crate) fn to_http2(head: &mut Parts) -> Result<(), Error> {
    if let Some(wanted) = head.headers.remove(UPGRADE) {
        // RFC 8441: what HTTP/1 asks of a connection, HTTP/2 asks of a stream.
        head.method = Method::CONNECT;
        let wanted = wanted.to_str().unwrap_or_default();
        head.extensions.insert(h2::ext::Protocol::from(wanted));
    }
    let by_http1 = std::mem::replace(&mut head.version, Version::HTTP_2) != Version::HTTP_2;
    let host = head.headers.remove(HOST);
    if head.uri.authority().is_none() || head.uri.scheme().is_none() {
        let mut parts = std::mem::take(&mut head.uri).into_parts();
        if parts.authority.is_none() {
            let host = host.ok_or_else(bad_host)?;
            parts.authority = Some(Authority::try_from(host.as_bytes()).map_err(|_| bad_host())?);
        }
        if parts.scheme.is_none() {
            // What the client spoke, not what is spoken to the upstream, as Envoy has it.
            let forwarded = head.headers.get(X_FORWARDED_PROTO);
            parts.scheme = Some(match scheme::forwarded(forwarded, false) {
                "https" => Scheme::HTTPS,
                _ => Scheme::HTTP,
            });
        }
        parts
            .path_and_query
            .get_or_insert(PathAndQuery::from_static("/"));
        head.uri = Uri::from_parts(parts).map_err(|_| bad_host())?;
    }
    if has_connection_fields(&head.headers) {
        for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING] {
            head.headers.remove(name);
        }
    }
    if let Some(te) = head.headers.get(TE)
        && te != "trailers"
    {
        head.headers.remove(TE);
    }
    if by_http1 {
        own_values(&mut head.headers);
    }
    Ok(())
}

/// Whether an HTTP/1 response says in exactly one way where it ends. Two readers that disagree
/// about it would take one client's response for another's (RFC 9112, 6.3).
pub(crate) fn is_framed_once(head: &http::response::Parts) -> bool {
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return false;
    }
    if head.status == StatusCode::NO_CONTENT && length.is_some_and(|length| length != "0") {
        return false;
    }
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            length.is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
        (Some(_), Some(_)) => false,
    }
}

fn bad_host() -> Error {
    Error::reply(LocalReply::new(
        StatusCode::BAD_REQUEST,
        "",
        "host_cannot_be_an_authority",
    ))
}

#[cfg(test)]
mod tests;
