//! Where connections to endpoints come from.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3 as core;
use tandem_model::cluster::Bind;

use crate::address;
use crate::cx::Cx;

/// `SOL_SOCKET` and `SO_MARK` of Linux, the one socket option that is understood.
const MARK: (i64, i64) = (1, 36);

pub(super) fn bind(cx: &Cx<'_>, proto: &core::BindConfig) -> Bind {
    let default = proto.source_address.as_ref();
    let default = default.and_then(|proto| address::ip(&cx.field("source_address"), proto));
    let extra = cx.each(
        "extra_source_addresses",
        &proto.extra_source_addresses,
        |cx, proto| address::ip(&cx.field("address"), proto.address.as_ref()?),
    );
    let at = &cx.field("extra_source_addresses");
    if extra.len() > 1 {
        at.error("expected at most one, for the other address family");
    }
    if let (Some(default), [extra, ..]) = (&default, extra.as_slice())
        && default.is_ipv4() == extra.is_ipv4()
    {
        at.error("expected an address of the other family than the source_address");
    }
    Bind {
        sources: default
            .into_iter()
            .chain(extra)
            .collect::<Vec<SocketAddr>>(),
        mark: cx.each("socket_options", &proto.socket_options, mark).pop(),
    }
}

fn mark(cx: &Cx<'_>, proto: &core::SocketOption) -> Option<u32> {
    use core::socket_option::Value;
    let value = match &proto.value {
        Some(Value::IntValue(value)) if (proto.level, proto.name) == MARK => {
            u32::try_from(*value).ok()
        }
        _ => None,
    };
    if value.is_none() {
        cx.error(
            "expected SO_MARK (level 1, name 36) with an int_value, nothing else is supported",
        );
    }
    value
}
