//! Who does it.

use envoy_types::pb::envoy::config::rbac::v3::{self as proto, principal::Identifier};
use tandem_model::filter::rbac::Principal;

use super::{Place, all, metadata, path, sourced_metadata};
use crate::cx::Cx;
use crate::{address, matcher};

#[allow(deprecated, reason = "Envoy still takes the older forms")]
pub(super) fn principal(cx: &Cx<'_>, proto: &proto::Principal, place: Place) -> Option<Principal> {
    let set = |field: &str, set: &proto::principal::Set| {
        let one = |cx: &Cx<'_>, proto: &proto::Principal| principal(cx, proto, place);
        all(&cx.field(field), "ids", &set.ids, one)
    };
    let Some(identifier) = &proto.identifier else {
        cx.error("expected an identifier");
        return None;
    };
    Some(match identifier {
        Identifier::AndIds(ids) => Principal::All(set("and_ids", ids)?),
        Identifier::OrIds(ids) => Principal::OneOf(set("or_ids", ids)?),
        Identifier::NotId(id) => {
            Principal::Not(Box::new(principal(&cx.field("not_id"), id, place)?))
        }
        Identifier::Any(_) => Principal::Any,
        Identifier::Authenticated(proto) => Principal::Authenticated(match &proto.principal_name {
            Some(name) => Some(matcher::string(
                &cx.field("authenticated").field("principal_name"),
                name,
            )?),
            None => None,
        }),
        // Without the PROXY protocol both are the peer of the connection.
        Identifier::SourceIp(range) => {
            Principal::DirectRemoteIp(address::range(&cx.field("source_ip"), range)?)
        }
        Identifier::DirectRemoteIp(range) => {
            Principal::DirectRemoteIp(address::range(&cx.field("direct_remote_ip"), range)?)
        }
        Identifier::RemoteIp(range) => {
            Principal::RemoteIp(address::range(&cx.field("remote_ip"), range)?)
        }
        Identifier::Header(_) if place == Place::Network => return unsupported(cx, "header"),
        Identifier::Header(header) => {
            Principal::Header(matcher::header(&cx.field("header"), header)?)
        }
        Identifier::UrlPath(proto) => Principal::Path(path(cx, proto)?),
        Identifier::Metadata(proto) => Principal::Metadata(metadata(&cx.field("metadata"), proto)?),
        Identifier::SourcedMetadata(proto) => Principal::Metadata(sourced_metadata(cx, proto)?),
        Identifier::FilterState(_) => return unsupported(cx, "filter_state"),
        Identifier::Custom(_) => return unsupported(cx, "custom"),
    })
}

fn unsupported(cx: &Cx<'_>, field: &str) -> Option<Principal> {
    cx.error(format!("'{field}' is not supported"));
    None
}
