//! Path and host rewrites.

use http::{HeaderName, HeaderValue};
use tandem_core::headers::X_ENVOY_ORIGINAL_PATH;
use tandem_core::{Request, authority};
use tandem_model::route::{HostRewrite, PathRewrite, Route, RouteAction, WeightedCluster};

const X_ENVOY_ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Rewrites the path as the route says; the old one is kept in `x-envoy-original-path`.
pub(crate) fn path(request: &mut Request, route: &Route, action: &RouteAction, keep_old: bool) {
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
        (None, Some(HostRewrite::Auto) | None) => None,
    };
    let Some(new) = new.filter(|new| !new.is_empty()) else {
        return;
    };
    if let Ok(old) = HeaderValue::from_str(authority::get(request)) {
        if action.append_x_forwarded_host {
            request.headers_mut().append(X_FORWARDED_HOST, old.clone());
        }
        if keep_old {
            request.headers_mut().insert(X_ENVOY_ORIGINAL_HOST, old);
        }
    }
    authority::set(request, &new);
}
