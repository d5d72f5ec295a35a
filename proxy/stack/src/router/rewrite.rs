//! Path and host rewrites.

use http::HeaderValue;
use tandem_core::ext::StreamInfo;
use tandem_core::format::{self, Context};
use tandem_core::headers::X_ENVOY_ORIGINAL_PATH;
use tandem_core::{Request, authority};
use tandem_model::format::Format;
use tandem_model::route::{HostRewrite, PathRewrite, Route, RouteAction, WeightedCluster};

/// Rewrites the path as the route says; the old one is kept in `x-envoy-original-path`.
pub(crate) fn path(
    request: &mut Request,
    route: &Route,
    action: &RouteAction,
    info: &StreamInfo,
    keep_old: bool,
) {
    let Some(rewrite) = &action.path_rewrite else {
        return;
    };
    let given = authority::path_and_query(request);
    let at = given.find(['?', '#']).unwrap_or(given.len());
    let (path, query) = given.split_at(at);
    let new = match rewrite {
        PathRewrite::Prefix(new) => match route.matched_len() {
            Some(length) => format!("{new}{}", path.get(length..).unwrap_or_default()),
            // A regex covers the whole path.
            None => new.to_string(),
        },
        PathRewrite::Regex {
            pattern,
            substitution,
        } => pattern.replace_all(path, substitution),
        PathRewrite::Format(format) => match formatted(format, request, info) {
            // Envoy sends what comes from a header as it is, and then a line that is no HTTP.
            Some(new) => escape(&new),
            None => return,
        },
    };
    let new = format!("{new}{query}");
    let old = HeaderValue::from_str(given).ok();
    // A rewrite that a URI cannot hold is escaped: the old path must not go on instead.
    let rewritten = authority::set_path_and_query(request, &new)
        || authority::set_path_and_query(request, &escape(&new));
    if rewritten && let Some(old) = old.filter(|_| keep_old) {
        request.headers_mut().insert(X_ENVOY_ORIGINAL_PATH, old);
    }
}

/// A path that a format makes; `None`: an empty one, which changes nothing. It always begins with
/// a slash, or in a redirect it would prolong the host's name.
pub(super) fn formatted(format: &Format, request: &Request, info: &StreamInfo) -> Option<String> {
    let path = format::text(format, &Context::before(info, request));
    match path.as_bytes().first()? {
        b'/' => Some(path),
        _ => Some(format!("/{path}")),
    }
}

fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        match byte {
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'}' => {
                out.push_str(&format!("%{byte:02X}"));
            }
            0x21..=0x7e => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Rewrites the host as the route says; the old one is kept in `x-envoy-original-host`.
/// `auto_host_rewrite` needs the endpoint and happens there.
pub(crate) fn host(
    request: &mut Request,
    action: &RouteAction,
    weighted: Option<&WeightedCluster>,
    info: &StreamInfo,
    keep_old: bool,
) {
    let of_weighted = weighted.and_then(|weighted| weighted.host_rewrite.as_ref());
    // As in Envoy, the rewrite of a weighted cluster forgets the old host.
    let keep_old = keep_old && of_weighted.is_none();
    let new = match (of_weighted, &action.host_rewrite) {
        (Some(host), _) | (None, Some(HostRewrite::Literal(host))) => Some(host.clone()),
        (None, Some(HostRewrite::Header(name))) => request.headers().get(name).cloned(),
        (
            None,
            Some(HostRewrite::PathRegex {
                pattern,
                substitution,
            }),
        ) => {
            let given = authority::path_and_query(request);
            let path = given.split(['?', '#']).next().unwrap_or_default();
            HeaderValue::from_str(&pattern.replace_all(path, substitution)).ok()
        }
        (None, Some(HostRewrite::Format(format))) => {
            let text = format::text(format, &Context::before(info, request));
            HeaderValue::from_str(&text).ok()
        }
        (None, Some(HostRewrite::Auto) | None) => None,
    };
    let Some(new) = new.filter(|new| !new.is_empty()) else {
        return;
    };
    authority::rewrite(request, &new, action.append_x_forwarded_host, keep_old);
}
