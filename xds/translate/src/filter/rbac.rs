//! Role-based access control.

use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::{Rbac as Proto, RbacPerRoute};
use envoy_types::pb::google::protobuf::Any;
use tandem_model::filter::rbac::Rbac;

use crate::cx::Cx;
use crate::{rbac, value};

pub(super) fn rbac(cx: &Cx<'_>, any: &Any) -> Option<Rbac> {
    settings(cx, &value::unpack(cx, any)?)
}

/// What a route says: other rules, or (without any) that there are none.
pub(super) fn per_route(cx: &Cx<'_>, any: &Any) -> Option<Option<Rbac>> {
    let proto: RbacPerRoute = value::unpack(cx, any)?;
    match &proto.rbac {
        Some(proto) => settings(&cx.field("rbac"), proto).map(Some),
        None => Some(None),
    }
}

fn settings(cx: &Cx<'_>, proto: &Proto) -> Option<Rbac> {
    let rules = rbac::rules(cx, "rules", proto.rules.as_ref(), rbac::Place::Http);
    let shadow = rbac::rules(
        cx,
        "shadow_rules",
        proto.shadow_rules.as_ref(),
        rbac::Place::Http,
    );
    Some(Rbac {
        rules: rules?,
        shadow_rules: shadow?,
        rules_stat_prefix: proto.rules_stat_prefix.as_str().into(),
        shadow_rules_stat_prefix: proto.shadow_rules_stat_prefix.as_str().into(),
        track_per_rule_stats: proto.track_per_rule_stats,
    })
}
