//! Where a redirect leads.

use http::HeaderValue;
use tandem_core::ext::StreamInfo;
use tandem_core::{Request, authority};
use tandem_model::matching::strip_port;
use tandem_model::route::{Redirect, RedirectPath, Route};
use tandem_model::scheme::X_FORWARDED_PROTO;

use super::rewrite;

/// The `location` of a redirect, built as Envoy builds it.
pub(crate) fn location(
    redirect: &Redirect,
    route: &Route,
    request: &Request,
    info: &StreamInfo,
    scheme: &str,
) -> String {
    let new_scheme = redirect.scheme.as_deref().unwrap_or(scheme);
    let given = authority::get(request);
    let mut host = redirect.host.as_deref().unwrap_or(given).to_owned();
    match redirect.port {
        Some(port) => host = format!("{}:{port}", strip_port(&host)),
        None => {
            // A default port means nothing once the scheme has changed. Which it was is what a
            // proxy in front spoke, even if the request has a scheme of its own.
            let spoken = request.headers().get(X_FORWARDED_PROTO);
            let spoken = spoken.map_or(scheme.as_bytes(), HeaderValue::as_bytes);
            let default = if spoken.eq_ignore_ascii_case(b"https") {
                ":443"
            } else {
                ":80"
            };
            if redirect.host.is_none()
                && new_scheme.as_bytes() != spoken
                && let Some(stripped) = host.strip_suffix(default)
            {
                host = stripped.to_owned();
            }
        }
    }
    format!(
        "{new_scheme}://{host}{}",
        path(redirect, route, request, info)
    )
}

fn path(redirect: &Redirect, route: &Route, request: &Request, info: &StreamInfo) -> String {
    let given = authority::path_and_query(request);
    let (path, query) = given.split_at(given.find('?').unwrap_or(given.len()));
    let query = if redirect.strip_query { "" } else { query };
    match &redirect.path {
        None => format!("{path}{query}"),
        Some(RedirectPath::Replace(new)) => replaced(new, query),
        Some(RedirectPath::Prefix(new)) => {
            let rest = route.matched_len().and_then(|length| path.get(length..));
            format!("{new}{}{query}", rest.unwrap_or_default())
        }
        Some(RedirectPath::Regex {
            pattern,
            substitution,
        }) => {
            format!("{}{query}", pattern.replace_all(path, substitution))
        }
        Some(RedirectPath::Format(format)) => {
            let new = rewrite::formatted(format, request, info);
            new.map_or_else(|| format!("{path}{query}"), |new| replaced(&new, query))
        }
    }
}

/// A new path with a query of its own replaces the old query too.
fn replaced(new: &str, query: &str) -> String {
    let query = if new.contains('?') { "" } else { query };
    format!("{new}{query}")
}
