//! What a connection manager does to a request before it is routed: who may say what about it,
//! which headers end here, what its path really is.
//!
//! Semantics: Envoy's `ConnectionManagerUtility::mutateRequestHeaders` and
//! `maybeNormalizePath`, RFC 9110 §7.6.1 for hop-by-hop headers.

use std::borrow::Cow;

use http::header::{CONNECTION, HOST, LOCATION, TE, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::{ConnectionInfo, StreamInfo};
use tandem_core::headers::{X_REQUEST_ID, has_connection_fields};
use tandem_core::{Body, Error, Request, ResponseFlags, authority};
use tandem_model::HttpConnectionManager;
use tandem_model::hcm::{EscapedSlashes, StripPort, UnderscoresAction};
use tandem_model::matching::{path, strip_port};

use super::{Settings, client_cert, forwarded};

pub(crate) const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
pub(crate) const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_ENVOY_INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
const X_ENVOY_EXTERNAL_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");

/// What only an internal client may say.
const INTERNAL_ONLY: [HeaderName; 13] = [
    HeaderName::from_static("x-envoy-retriable-status-codes"),
    HeaderName::from_static("x-envoy-retriable-header-names"),
    HeaderName::from_static("x-envoy-retry-on"),
    HeaderName::from_static("x-envoy-retry-grpc-on"),
    HeaderName::from_static("x-envoy-max-retries"),
    HeaderName::from_static("x-envoy-upstream-alt-stat-name"),
    HeaderName::from_static("x-envoy-upstream-rq-timeout-ms"),
    HeaderName::from_static("x-envoy-upstream-rq-per-try-timeout-ms"),
    HeaderName::from_static("x-envoy-upstream-rq-timeout-alt-response"),
    HeaderName::from_static("x-envoy-expected-rq-timeout-ms"),
    HeaderName::from_static("x-envoy-force-trace"),
    HeaderName::from_static("x-envoy-ip-tags"),
    HeaderName::from_static("x-envoy-hedge-on-per-try-timeout"),
];

/// What nobody may say to an edge proxy.
const NEVER_AT_THE_EDGE: [HeaderName; 5] = [
    HeaderName::from_static("x-envoy-decorator-operation"),
    HeaderName::from_static("x-envoy-downstream-service-cluster"),
    HeaderName::from_static("x-envoy-downstream-service-node"),
    HeaderName::from_static("x-envoy-original-host"),
    HeaderName::from_static("x-envoy-original-path"),
];

/// Applies the rules; an error is the refusal.
pub(crate) fn prepare(
    request: &mut Request,
    info: &StreamInfo,
    settings: &Settings,
) -> Result<(), Error> {
    let manager = &settings.manager;
    refuse_invalid(request, manager)?;
    underscores(request, manager)?;
    host(request, manager, &info.connection);
    normalize(request, manager, info.is_grpc)?;
    hop_by_hop(request);
    client_cert::forward(
        request.headers_mut(),
        manager.forward_client_cert,
        manager.client_cert_details,
        &info.connection,
    );
    if let Some(scheme) = &manager.scheme {
        forwarded::set_scheme(request, scheme)?;
    }
    let reached = forwarded::add(request.headers_mut(), manager, info);
    trust(request.headers_mut(), settings, info);
    request_id(request.headers_mut(), manager, info);
    if let Some(via) = &manager.via {
        append_to_list(request.headers_mut(), VIA, via);
    }
    // Who says nothing of how it was reached is sent nowhere: Envoy finds no route for it.
    if reached {
        Ok(())
    } else {
        Err(Error::new(Kind::NoRoute))
    }
}

pub(super) fn bad(details: &'static str) -> Error {
    Error::reply(
        LocalReply::new(StatusCode::BAD_REQUEST, "", details)
            .flags(ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR),
    )
}

fn refuse_invalid(request: &Request, manager: &HttpConnectionManager) -> Result<(), Error> {
    if authority::get(request).is_empty() {
        return Err(bad("missing_host_header"));
    }
    if request.method() == Method::CONNECT {
        // No route matches CONNECT: tunnels are not supported.
        return Err(Error::reply(LocalReply::new(
            StatusCode::FORBIDDEN,
            "",
            "upgrade_failed",
        )));
    }
    if request.version() == Version::HTTP_2 {
        let headers = request.headers();
        let count = usize::try_from(manager.max_headers_count).unwrap_or(usize::MAX);
        if headers.len() > count {
            return Err(Error::reply(LocalReply::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "",
                "http2.too_many_headers",
            )));
        }
    }
    let target = authority::path_and_query(request);
    if target.contains('#') {
        return Err(bad("path_with_fragment"));
    }
    Ok(())
}

fn underscores(request: &mut Request, manager: &HttpConnectionManager) -> Result<(), Error> {
    if manager.underscores == UnderscoresAction::Allow {
        return Ok(());
    }
    let named: Vec<HeaderName> = request
        .headers()
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .cloned()
        .collect();
    if !named.is_empty() && manager.underscores == UnderscoresAction::RejectRequest {
        return Err(bad("http1.unexpected_underscore"));
    }
    for name in named {
        request.headers_mut().remove(name);
    }
    Ok(())
}

/// A request with nothing but the path and host that this one will have when it is prepared.
pub(super) fn sketch(
    request: &Request,
    manager: &HttpConnectionManager,
    connection: &ConnectionInfo,
) -> Request {
    let mut sketch = Request::new(Body::empty());
    *sketch.uri_mut() = request.uri().clone();
    if let Some(host) = request.headers().get(HOST) {
        sketch.headers_mut().insert(HOST, host.clone());
    }
    host(&mut sketch, manager, connection);
    // A path that is refused is refused by whichever routes it is sent to.
    let _ = normalize(&mut sketch, manager, false);
    sketch
}

fn host(request: &mut Request, manager: &HttpConnectionManager, connection: &ConnectionInfo) {
    if manager.strip_port == StripPort::No && !manager.strip_trailing_host_dot {
        return;
    }
    let given = authority::get(request);
    let mut host = given;
    let undotted = manager
        .strip_trailing_host_dot
        .then(|| without_dot(host))
        .flatten();
    if let Some(undotted) = &undotted {
        host = undotted;
    }
    let stripped = strip_port(host);
    let port = host
        .get(stripped.len() + 1..)
        .and_then(|port| port.parse::<u16>().ok());
    let strip = match manager.strip_port {
        StripPort::No => false,
        StripPort::Any => true,
        StripPort::Matching => port.is_some() && port == connection.local.map(|local| local.port()),
    };
    let host = if strip { stripped } else { host };
    if host != given
        && let Ok(host) = HeaderValue::from_str(host)
    {
        authority::set(request, &host);
    }
}

/// The host without the dot behind its name, if it has one.
fn without_dot(host: &str) -> Option<String> {
    let (name, port) = host.split_at(strip_port(host).len());
    Some(format!("{}{port}", name.strip_suffix('.')?))
}

fn normalize(
    request: &mut Request,
    manager: &HttpConnectionManager,
    is_grpc: bool,
) -> Result<(), Error> {
    let given = authority::path_and_query(request);
    let mut now = Cow::Borrowed(given);
    let mut redirect = false;
    if manager.escaped_slashes != EscapedSlashes::KeepUnchanged && path::has_escaped_slashes(&now) {
        match manager.escaped_slashes {
            EscapedSlashes::RejectRequest => return Err(bad("path_normalization_failed")),
            EscapedSlashes::UnescapeAndRedirect => redirect = true,
            EscapedSlashes::KeepUnchanged | EscapedSlashes::UnescapeAndForward => {}
        }
        now = Cow::Owned(path::unescape_slashes(&now).into_owned());
    }
    if manager.normalize_path {
        match path::normalize(&now) {
            Some(Cow::Borrowed(_)) => {}
            Some(Cow::Owned(normal)) => now = Cow::Owned(normal),
            None => return Err(bad("path_normalization_failed")),
        }
    }
    if manager.merge_slashes
        && let Cow::Owned(merged) = path::merge_slashes(&now)
    {
        now = Cow::Owned(merged);
    }
    let Cow::Owned(now) = now else { return Ok(()) };
    if redirect {
        if is_grpc {
            return Err(bad("path_normalization_failed"));
        }
        let reply = LocalReply::new(
            StatusCode::TEMPORARY_REDIRECT,
            "",
            "path_normalization_failed",
        );
        return Err(Error::reply(match HeaderValue::from_str(&now) {
            Ok(location) => reply.header(LOCATION, location),
            Err(_) => reply,
        }));
    }
    if authority::set_path_and_query(request, &now) {
        Ok(())
    } else {
        Err(bad("path_normalization_failed"))
    }
}

/// Whether the request asks for another protocol on its connection; `h2c` is ignored, as
/// RFC 9113 wants it.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<&str> {
    let wanted = headers.get(UPGRADE)?.to_str().ok()?;
    let asked = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    (asked && !wanted.eq_ignore_ascii_case("h2c")).then_some(wanted)
}

/// Adds to a header that is a list, in one line.
pub(super) fn append_to_list(headers: &mut HeaderMap, name: HeaderName, value: &HeaderValue) {
    let given: Vec<&[u8]> = headers
        .get_all(&name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let joined = match given.as_slice() {
        [] => None,
        given => {
            let joined = [&given.join(&b","[..]), &b", "[..], value.as_bytes()].concat();
            HeaderValue::from_bytes(&joined).ok()
        }
    };
    headers.insert(name, joined.unwrap_or_else(|| value.clone()));
}

fn hop_by_hop(request: &mut Request) {
    let headers = request.headers_mut();
    if has_connection_fields(headers) {
        connection_fields(headers);
    }
    if let Some(te) = headers.get(TE) {
        let trailers = te.to_str().is_ok_and(|te| {
            te.split(',')
                .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
        });
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        } else {
            headers.remove(TE);
        }
    }
}

/// What is usually in `connection`, and no field's name: nothing is allocated for it.
const OPTIONS: [&str; 3] = ["keep-alive", "close", "upgrade"];

fn connection_fields(headers: &mut HeaderMap) {
    let is_upgrade = upgrade(headers).is_some();
    if !is_upgrade && headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|token| {
                !OPTIONS
                    .iter()
                    .any(|option| token.eq_ignore_ascii_case(option))
            })
            .filter_map(|token| token.parse().ok())
            .filter(|name| *name != HOST && *name != TE)
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    if !is_upgrade {
        headers.remove(UPGRADE);
    }
    headers.remove(TRANSFER_ENCODING);
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
}

fn trust(headers: &mut HeaderMap, settings: &Settings, info: &StreamInfo) {
    let manager = &settings.manager;
    let edge = manager.use_remote_address && !info.internal;
    if info.internal {
        headers.insert(X_ENVOY_INTERNAL, HeaderValue::from_static("true"));
        return;
    }
    // One look over the few names that came is cheaper than fourteen look-ups of absent ones.
    if headers
        .keys()
        .any(|name| name.as_str().starts_with("x-envoy-"))
    {
        for name in &INTERNAL_ONLY {
            headers.remove(name);
        }
        headers.remove(X_ENVOY_INTERNAL);
    }
    for name in &settings.table.config().internal_only_headers {
        headers.remove(name);
    }
    if !edge {
        return;
    }
    for name in &NEVER_AT_THE_EDGE {
        headers.remove(name);
    }
    if let Some(client) = info.client.or(info.connection.remote)
        && let Ok(value) = HeaderValue::from_str(&client.ip().to_string())
    {
        headers.insert(X_ENVOY_EXTERNAL_ADDRESS, value);
    }
}

fn request_id(headers: &mut HeaderMap, manager: &HttpConnectionManager, info: &StreamInfo) {
    if manager.generate_request_id {
        let outside = manager.use_remote_address && !info.internal;
        let forced = outside && !manager.preserve_external_request_id;
        if forced || !headers.contains_key(X_REQUEST_ID) {
            headers.insert(X_REQUEST_ID, tandem_core::id::random());
        }
    }
    if let Some(id) = headers.get_mut(X_REQUEST_ID) {
        // Each is another, so HTTP/2 should not remember it: a table of old ids would be searched
        // for every new one, and keep out what does come again. This is how `http` says so.
        id.set_sensitive(true);
        let _ = info.request_id.set(id.clone());
    }
}
