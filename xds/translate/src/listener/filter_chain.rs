//! Filter chains: which connections they are for, and what serves those.

use std::net::IpAddr;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::CidrRange;
use envoy_types::pb::envoy::config::listener::v3::{
    self as proto, filter::ConfigType, filter_chain_match::ConnectionSourceType,
};
use tandem_model::cidr::Cidr;
use tandem_model::listener::{
    ConnectionFilter, FilterChain, FilterChainMatch, NetworkFilter, ServerName, SourceType,
};

use crate::cx::Cx;
use crate::route::Scope;
use crate::{hcm, rbac, tcp_proxy, tls, value};

const HCM: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const RBAC: &str = "envoy.extensions.filters.network.rbac.v3.RBAC";
const TCP_PROXY: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

pub(super) fn filter_chain(
    cx: &Cx<'_>,
    proto: &proto::FilterChain,
    scope: &Scope<'_>,
) -> Option<FilterChain> {
    let matches = match &proto.filter_chain_match {
        Some(proto) => matching(&cx.field("filter_chain_match"), proto),
        None => Some(FilterChainMatch::default()),
    };
    let filters = &cx.field("filters");
    let Some((last, before)) = proto.filters.split_last() else {
        filters.error("expected a network filter, there is none");
        return None;
    };
    let gates = before.iter().enumerate();
    let gates: Vec<_> = gates
        .map(|(i, proto)| connection_filter(&filters.index(i), proto))
        .collect();
    let filter = network_filter(&filters.index(before.len()), last, scope)?;
    Some(FilterChain {
        name: proto.name.as_str().into(),
        matches: matches?,
        transport_socket: (proto.transport_socket.as_ref())
            .and_then(|proto| tls::downstream(&cx.field("transport_socket"), proto)),
        transport_socket_connect_timeout: value::limit(
            cx,
            "transport_socket_connect_timeout",
            proto.transport_socket_connect_timeout.as_ref(),
            None,
        ),
        network_filters: gates.into_iter().collect::<Option<_>>()?,
        filter,
    })
}

fn matching(cx: &Cx<'_>, proto: &proto::FilterChainMatch) -> Option<FilterChainMatch> {
    let destination_port = match &proto.destination_port {
        Some(port) => Some(value::port(&cx.field("destination_port"), port.value)?),
        None => None,
    };
    let words = |words: &[String]| words.iter().map(|word| word.as_str().into()).collect();
    Some(FilterChainMatch {
        destination_port,
        prefix_ranges: cx.each("prefix_ranges", &proto.prefix_ranges, cidr),
        server_names: cx.each("server_names", &proto.server_names, |cx, name| {
            server_name(cx, name)
        }),
        transport_protocol: value::text(&proto.transport_protocol),
        application_protocols: words(&proto.application_protocols),
        direct_source_prefix_ranges: cx.each(
            "direct_source_prefix_ranges",
            &proto.direct_source_prefix_ranges,
            cidr,
        ),
        source_type: match proto.source_type() {
            ConnectionSourceType::Any => SourceType::Any,
            ConnectionSourceType::SameIpOrLoopback => SourceType::SameIpOrLoopback,
            ConnectionSourceType::External => SourceType::External,
        },
        source_prefix_ranges: cx.each("source_prefix_ranges", &proto.source_prefix_ranges, cidr),
        source_ports: cx.each("source_ports", &proto.source_ports, |cx, port| {
            value::port(cx, *port)
        }),
    })
}

/// A range; as in Envoy, bits that an address does not have are not counted.
fn cidr(cx: &Cx<'_>, proto: &CidrRange) -> Option<Cidr> {
    let Ok(address) = proto.address_prefix.parse::<IpAddr>() else {
        let reason = format!("expected an IP address, got {:?}", proto.address_prefix);
        cx.field("address_prefix").error(reason);
        return None;
    };
    let bits = value::u32_or(proto.prefix_len.as_ref(), 0);
    Some(Cidr::new(address, u8::try_from(bits).unwrap_or(u8::MAX)))
}

/// A name; its case does not count.
fn server_name(cx: &Cx<'_>, name: &str) -> Option<ServerName> {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix('*') {
        Some(suffix) if suffix.starts_with('.') => Some(ServerName::Suffix(suffix.into())),
        None if !name.contains('*') => Some(ServerName::Exact(name.as_str().into())),
        _ => {
            cx.error(format!(
                "expected a name, or '*.' and the end of names, got {name:?}"
            ));
            None
        }
    }
}

/// A filter before the last one.
fn connection_filter(cx: &Cx<'_>, proto: &proto::Filter) -> Option<ConnectionFilter> {
    let Some(ConfigType::TypedConfig(any)) = &proto.config_type else {
        cx.error("expected a typed_config");
        return None;
    };
    let cx = &cx.field("typed_config");
    match value::type_name(any) {
        RBAC => rbac::network(cx, any).map(|rbac| ConnectionFilter::Rbac(Arc::new(rbac))),
        HCM | TCP_PROXY => {
            cx.error("expected it as the last network filter");
            None
        }
        other => {
            cx.error(format!("filter type '{other}' is not supported"));
            None
        }
    }
}

fn network_filter(cx: &Cx<'_>, proto: &proto::Filter, scope: &Scope<'_>) -> Option<NetworkFilter> {
    let Some(ConfigType::TypedConfig(any)) = &proto.config_type else {
        cx.error("expected a typed_config");
        return None;
    };
    let cx = &cx.field("typed_config");
    match value::type_name(any) {
        HCM => {
            let proto = value::unpack(cx, any)?;
            let manager = hcm::connection_manager(cx, &proto, scope)?;
            Some(NetworkFilter::Http(Arc::new(manager)))
        }
        TCP_PROXY => {
            let proto = value::unpack(cx, any)?;
            Some(NetworkFilter::Tcp(Arc::new(tcp_proxy::tcp_proxy(
                cx, &proto,
            )?)))
        }
        RBAC => {
            cx.error("expected a filter that ends the chain behind it");
            None
        }
        other => {
            cx.error(format!("filter type '{other}' is not supported"));
            None
        }
    }
}
