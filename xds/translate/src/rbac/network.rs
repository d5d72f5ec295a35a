//! The network filter.

use envoy_types::pb::envoy::extensions::filters::network::rbac::v3::Rbac as Proto;
use envoy_types::pb::google::protobuf::Any;
use tandem_model::filter::rbac::{ConnectionRbac, Rbac};

use super::{Place, rules};
use crate::cx::Cx;
use crate::value;

/// Its settings. How often it enforces is not kept: it would decide the same each time.
pub(crate) fn network(cx: &Cx<'_>, any: &Any) -> Option<ConnectionRbac> {
    let proto: Proto = value::unpack(cx, any)?;
    let enforced = rules(cx, "rules", proto.rules.as_ref(), Place::Network);
    let shadow = rules(
        cx,
        "shadow_rules",
        proto.shadow_rules.as_ref(),
        Place::Network,
    );
    Some(ConnectionRbac {
        rbac: Rbac {
            rules: enforced?,
            shadow_rules: shadow?,
            shadow_rules_stat_prefix: proto.shadow_rules_stat_prefix.as_str().into(),
            ..Rbac::default()
        },
        stat_prefix: proto.stat_prefix.as_str().into(),
        delay_deny: value::limit(cx, "delay_deny", proto.delay_deny.as_ref(), None),
    })
}
