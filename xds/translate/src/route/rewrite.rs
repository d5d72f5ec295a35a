//! Redirects, and changes of path and host.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{self as proto, route_action};
use http::StatusCode;
use tandem_model::format::Format;
use tandem_model::route::{HostRewrite, PathRewrite, Redirect, RedirectPath};

use crate::cx::Cx;
use crate::{matcher, value};

pub(super) fn path(cx: &Cx<'_>, proto: &proto::RouteAction) -> Option<PathRewrite> {
    match (
        &proto.regex_rewrite,
        proto.prefix_rewrite.as_str(),
        proto.path_rewrite.as_str(),
    ) {
        (None, "", "") => None,
        (None, "", text) => format(&cx.field("path_rewrite"), text, true).map(PathRewrite::Format),
        (None, prefix, "") => Some(PathRewrite::Prefix(prefix.into())),
        (Some(regex), "", "") => {
            let (pattern, substitution) = matcher::substitution(&cx.field("regex_rewrite"), regex)?;
            Some(PathRewrite::Regex {
                pattern,
                substitution,
            })
        }
        _ => {
            cx.error("expected one of prefix_rewrite, regex_rewrite and path_rewrite");
            None
        }
    }
}

pub(super) fn host(cx: &Cx<'_>, proto: &proto::RouteAction) -> Option<HostRewrite> {
    use route_action::HostRewriteSpecifier as Specifier;
    match proto.host_rewrite_specifier.as_ref()? {
        Specifier::HostRewriteLiteral(text) if text.is_empty() => None,
        Specifier::HostRewriteLiteral(text) => {
            value::header_value(&cx.field("host_rewrite_literal"), text).map(HostRewrite::Literal)
        }
        Specifier::AutoHostRewrite(auto) => auto.value.then_some(HostRewrite::Auto),
        Specifier::HostRewriteHeader(name) if name.is_empty() => None,
        Specifier::HostRewriteHeader(name) => {
            value::header_name(&cx.field("host_rewrite_header"), name).map(HostRewrite::Header)
        }
        Specifier::HostRewritePathRegex(regex) => {
            let cx = &cx.field("host_rewrite_path_regex");
            let (pattern, substitution) = matcher::substitution(cx, regex)?;
            Some(HostRewrite::PathRegex {
                pattern,
                substitution,
            })
        }
        Specifier::HostRewrite(text) => {
            format(&cx.field("host_rewrite"), text, false).map(HostRewrite::Format)
        }
    }
}

/// A text with operators; `None` also if it is empty.
fn format(cx: &Cx<'_>, text: &str, omit_empty: bool) -> Option<Arc<Format>> {
    let format = cx.ok(Format::parse(text))?;
    (!text.is_empty()).then(|| {
        Arc::new(Format {
            omit_empty,
            ..format
        })
    })
}

pub(super) fn redirect(cx: &Cx<'_>, proto: &proto::RedirectAction) -> Redirect {
    use proto::redirect_action::{
        PathRewriteSpecifier as Path, RedirectResponseCode as Code,
        SchemeRewriteSpecifier as Scheme,
    };
    let path = match &proto.path_rewrite_specifier {
        Some(Path::PathRedirect(path)) => value::text(path).map(RedirectPath::Replace),
        Some(Path::PrefixRewrite(prefix)) => value::text(prefix).map(RedirectPath::Prefix),
        Some(Path::RegexRewrite(regex)) => {
            let found = matcher::substitution(&cx.field("regex_rewrite"), regex);
            found.map(|(pattern, substitution)| RedirectPath::Regex {
                pattern,
                substitution,
            })
        }
        Some(Path::PathRewrite(text)) => {
            let found = format(&cx.field("path_rewrite"), text, true);
            found.map(RedirectPath::Format)
        }
        None => None,
    };
    Redirect {
        scheme: match &proto.scheme_rewrite_specifier {
            Some(Scheme::HttpsRedirect(true)) => Some("https".into()),
            Some(Scheme::SchemeRedirect(scheme)) => value::text(&scheme.to_ascii_lowercase()),
            _ => None,
        },
        host: value::text(&proto.host_redirect),
        port: match proto.port_redirect {
            0 => None,
            port => value::port(&cx.field("port_redirect"), port),
        },
        path,
        strip_query: proto.strip_query,
        status: match proto.response_code() {
            Code::MovedPermanently => StatusCode::MOVED_PERMANENTLY,
            Code::Found => StatusCode::FOUND,
            Code::SeeOther => StatusCode::SEE_OTHER,
            Code::TemporaryRedirect => StatusCode::TEMPORARY_REDIRECT,
            Code::PermanentRedirect => StatusCode::PERMANENT_REDIRECT,
        },
    }
}
