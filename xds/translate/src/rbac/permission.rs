//! What is done.

use envoy_types::pb::envoy::config::rbac::v3::{self as proto, permission::Rule};
use envoy_types::pb::envoy::r#type::v3::Int32Range;
use tandem_model::filter::rbac::Permission;

use super::{Place, all, metadata, path, sourced_metadata};
use crate::cx::Cx;
use crate::{address, matcher, value};

#[allow(deprecated, reason = "Envoy still takes the older forms")]
pub(super) fn permission(
    cx: &Cx<'_>,
    proto: &proto::Permission,
    place: Place,
) -> Option<Permission> {
    let set = |field: &str, set: &proto::permission::Set| {
        let one = |cx: &Cx<'_>, proto: &proto::Permission| permission(cx, proto, place);
        all(&cx.field(field), "rules", &set.rules, one)
    };
    let Some(rule) = &proto.rule else {
        cx.error("expected a rule");
        return None;
    };
    Some(match rule {
        Rule::AndRules(rules) => Permission::All(set("and_rules", rules)?),
        Rule::OrRules(rules) => Permission::OneOf(set("or_rules", rules)?),
        Rule::NotRule(rule) => {
            Permission::Not(Box::new(permission(&cx.field("not_rule"), rule, place)?))
        }
        Rule::Any(_) => Permission::Any,
        Rule::Header(_) if place == Place::Network => return unsupported(cx, "header"),
        Rule::Header(header) => Permission::Header(matcher::header(&cx.field("header"), header)?),
        Rule::UrlPath(proto) => Permission::Path(path(cx, proto)?),
        Rule::DestinationIp(range) => {
            Permission::DestinationIp(address::range(&cx.field("destination_ip"), range)?)
        }
        Rule::DestinationPort(port) => {
            Permission::DestinationPort(value::port(&cx.field("destination_port"), *port)?)
        }
        Rule::DestinationPortRange(range) => ports(&cx.field("destination_port_range"), range)?,
        Rule::Metadata(proto) => Permission::Metadata(metadata(&cx.field("metadata"), proto)?),
        Rule::SourcedMetadata(proto) => Permission::Metadata(sourced_metadata(cx, proto)?),
        Rule::RequestedServerName(name) => {
            Permission::ServerName(matcher::string(&cx.field("requested_server_name"), name)?)
        }
        Rule::Matcher(_) => return unsupported(cx, "matcher"),
        Rule::UriTemplate(_) => return unsupported(cx, "uri_template"),
    })
}

/// Ports from the first up to the last, which is not one of them.
fn ports(cx: &Cx<'_>, range: &Int32Range) -> Option<Permission> {
    let (start, end) = (range.start, range.end);
    if !(0..=65535).contains(&start) || !(1..=65536).contains(&end) || start >= end {
        cx.error(format!(
            "expected a start below the end, and both ports, got {start} and {end}"
        ));
        return None;
    }
    Some(Permission::DestinationPorts { start, end })
}

fn unsupported(cx: &Cx<'_>, field: &str) -> Option<Permission> {
    cx.error(format!("'{field}' is not supported"));
    None
}
