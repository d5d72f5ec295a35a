//! The conditions of a route.

use envoy_types::pb::envoy::config::route::v3::{self as proto, route_match::PathSpecifier};
use tandem_model::route::{PathMatch, RouteMatch};

use crate::cx::Cx;
use crate::{matcher, value};

pub(super) fn route_match(cx: &Cx<'_>, proto: &proto::RouteMatch) -> Option<RouteMatch> {
    let path = match proto.path_specifier.as_ref() {
        Some(PathSpecifier::Prefix(text)) => Some(PathMatch::Prefix(text.as_str().into())),
        Some(PathSpecifier::Path(text)) => Some(PathMatch::Exact(text.as_str().into())),
        Some(PathSpecifier::SafeRegex(proto)) => {
            matcher::regex(&cx.field("safe_regex"), proto).map(PathMatch::Regex)
        }
        Some(PathSpecifier::PathSeparatedPrefix(text)) => {
            Some(PathMatch::PathSeparatedPrefix(text.as_str().into()))
        }
        _ => {
            cx.error("expected one of prefix, path, safe_regex, path_separated_prefix");
            None
        }
    };
    let headers = cx.each("headers", &proto.headers, matcher::header);
    let query_parameters = cx.each(
        "query_parameters",
        &proto.query_parameters,
        matcher::query_parameter,
    );
    Some(RouteMatch {
        path: path?,
        case_sensitive: value::bool_or(proto.case_sensitive.as_ref(), true),
        headers,
        query_parameters,
        grpc: proto.grpc.is_some(),
        fraction: proto.runtime_fraction.as_ref().map(value::runtime_fraction),
    })
}
