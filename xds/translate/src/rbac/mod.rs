//! The rules of access control, as the HTTP filter and the network filter have them.
//!
//! A rule that is not understood is never left out: the whole configuration that holds it is
//! refused.

mod network;
mod permission;
mod principal;

pub(crate) use network::network;

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::rbac::v3::{self as proto, rbac::Action as ProtoAction};
use envoy_types::pb::envoy::r#type::matcher::v3 as matcher_proto;
use tandem_model::filter::rbac::{Action, MetadataMatcher, Policy, Rules};
use tandem_model::matching::StringMatcher;

use crate::cx::Cx;
use crate::matcher;

/// Whose rules they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A filter of requests.
    Http,
    /// A filter of connections, which have no headers.
    Network,
}

/// What Envoy's own filters write there would be seen by Envoy's rules, and is not written here.
const WRITTEN_BY_ENVOY: [&str; 4] = [
    "envoy.common",
    "envoy.filters.http.rbac",
    "envoy.filters.network.rbac",
    "envoy.filters.http.fault",
];

/// Rules, if they are set.
pub(crate) fn rules(
    cx: &Cx<'_>,
    field: &str,
    proto: Option<&proto::Rbac>,
    place: Place,
) -> Option<Option<Arc<Rules>>> {
    let Some(proto) = proto else {
        return Some(None);
    };
    let cx = &cx.field(field);
    let sorted: BTreeMap<_, _> = proto.policies.iter().collect();
    let policies_cx = &cx.field("policies");
    let policies = sorted.into_iter().map(|(name, proto)| {
        let cx = &policies_cx.key(name);
        let permissions = cx.each("permissions", &proto.permissions, |cx, proto| {
            permission::permission(cx, proto, place)
        });
        let principals = cx.each("principals", &proto.principals, |cx, proto| {
            principal::principal(cx, proto, place)
        });
        // What is left out was reported; an incomplete policy must not come into being.
        let whole = permissions.len() == proto.permissions.len()
            && principals.len() == proto.principals.len();
        whole.then(|| Policy {
            name: name.as_str().into(),
            permissions,
            principals,
        })
    });
    let policies: Vec<_> = policies.collect();
    let action = match ProtoAction::try_from(proto.action) {
        Ok(ProtoAction::Allow) => Action::Allow,
        Ok(ProtoAction::Deny) => Action::Deny,
        Ok(ProtoAction::Log) => Action::Log,
        Err(_) => {
            cx.field("action").error("expected one of ALLOW, DENY, LOG");
            return None;
        }
    };
    let policies = policies.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Some(Arc::new(Rules { action, policies })))
}

/// Every element, or `None` if one of them is wrong.
fn all<P, T>(
    cx: &Cx<'_>,
    field: &str,
    protos: &[P],
    translate: impl Fn(&Cx<'_>, &P) -> Option<T>,
) -> Option<Vec<T>> {
    let found = cx.each(field, protos, translate);
    (found.len() == protos.len()).then_some(found)
}

fn path(cx: &Cx<'_>, proto: &matcher_proto::PathMatcher) -> Option<StringMatcher> {
    use matcher_proto::path_matcher::Rule;
    let cx = &cx.field("url_path");
    match &proto.rule {
        Some(Rule::Path(proto)) => matcher::string(&cx.field("path"), proto),
        None => {
            cx.error("expected 'path'");
            None
        }
    }
}

fn metadata(cx: &Cx<'_>, proto: &matcher_proto::MetadataMatcher) -> Option<MetadataMatcher> {
    if WRITTEN_BY_ENVOY.contains(&proto.filter.as_str()) {
        cx.field("filter").error(format!(
            "metadata of '{}' is not supported: no filter writes it",
            proto.filter
        ));
        return None;
    }
    if let Some(value) = &proto.value {
        check_value(&cx.field("value"), value)?;
    }
    Some(MetadataMatcher {
        invert: proto.invert,
    })
}

/// Metadata that may come from anywhere.
fn sourced_metadata(cx: &Cx<'_>, proto: &proto::SourcedMetadata) -> Option<MetadataMatcher> {
    let cx = &cx.field("sourced_metadata");
    if proto.metadata_source() != proto::MetadataSource::Dynamic {
        cx.field("metadata_source").error("expected DYNAMIC");
        return None;
    }
    match &proto.metadata_matcher {
        Some(proto) => metadata(&cx.field("metadata_matcher"), proto),
        None => {
            cx.error("expected 'metadata_matcher'");
            None
        }
    }
}

/// What no value is compared with must still be valid.
fn check_value(cx: &Cx<'_>, proto: &matcher_proto::ValueMatcher) -> Option<()> {
    use matcher_proto::{list_matcher, value_matcher::MatchPattern};
    match &proto.match_pattern {
        Some(MatchPattern::StringMatch(proto)) => {
            matcher::string(&cx.field("string_match"), proto).map(|_| ())
        }
        Some(MatchPattern::ListMatch(list)) => match &list.match_pattern {
            Some(list_matcher::MatchPattern::OneOf(value)) => {
                check_value(&cx.field("list_match").field("one_of"), value)
            }
            None => Some(()),
        },
        Some(MatchPattern::OrMatch(or)) => {
            let cx = &cx.field("or_match");
            all(cx, "value_matchers", &or.value_matchers, check_value).map(|_| ())
        }
        _ => Some(()),
    }
}
