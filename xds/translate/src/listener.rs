//! Listeners and filter chains.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection as Direction;
use envoy_types::pb::envoy::config::listener::v3::{self as proto, filter::ConfigType};
use tandem_model::listener::{
    FilterChain, FilterChainMatch, Listener, NetworkFilter, TrafficDirection,
};

use crate::cx::Cx;
use crate::route::Scope;
use crate::{access_log, address, hcm, tcp_proxy, tls, value};

const HCM: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const TCP_PROXY: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

pub(crate) fn listener(
    cx: &Cx<'_>,
    proto: &proto::Listener,
    scope: &Scope<'_>,
) -> Option<Listener> {
    let address = address::address(&cx.field("address"), proto.address.as_ref());
    let filter_chain = match proto.filter_chains.as_slice() {
        [chain] => filter_chain(&cx.field("filter_chains").index(0), chain, scope),
        [] => {
            cx.error("expected a filter chain");
            None
        }
        _ => {
            cx.field("filter_chains")
                .error("more than one filter chain is not supported");
            None
        }
    };
    let access_logs = access_log::access_logs(cx, &proto.access_log);
    let backlog = value::u32_or(proto.tcp_backlog_size.as_ref(), 1024);
    let address = address?;
    let by_address = address.to_string();
    Some(Listener {
        name: value::text(&proto.name).unwrap_or_else(|| by_address.as_str().into()),
        stat_prefix: value::text(&proto.stat_prefix)
            .unwrap_or_else(|| by_address.replace(':', "_").into()),
        address,
        traffic_direction: match proto.traffic_direction() {
            Direction::Unspecified => TrafficDirection::Unspecified,
            Direction::Inbound => TrafficDirection::Inbound,
            Direction::Outbound => TrafficDirection::Outbound,
        },
        additional_addresses: Vec::new(),
        bind_to_port: true,
        use_original_dst: false,
        transparent: false,
        freebind: false,
        listener_filters: Vec::new(),
        listener_filters_timeout: Some(Duration::from_secs(15)),
        continue_on_listener_filters_timeout: false,
        filter_chains: vec![Arc::new(filter_chain?)],
        default_filter_chain: None,
        per_connection_buffer_limit_bytes: value::u32_or(
            proto.per_connection_buffer_limit_bytes.as_ref(),
            1024 * 1024,
        ),
        tcp_backlog_size: backlog,
        enable_reuse_port: value::bool_or(proto.enable_reuse_port.as_ref(), true),
        access_logs,
    })
}

fn filter_chain(cx: &Cx<'_>, proto: &proto::FilterChain, scope: &Scope<'_>) -> Option<FilterChain> {
    let filters = &cx.field("filters");
    let [filter] = proto.filters.as_slice() else {
        // every network filter that is supported ends its chain
        filters.error(format!(
            "expected one network filter, got {}",
            proto.filters.len()
        ));
        return None;
    };
    let filter = network_filter(&filters.index(0), filter, scope)?;
    Some(FilterChain {
        name: proto.name.as_str().into(),
        matches: FilterChainMatch::default(),
        transport_socket: (proto.transport_socket.as_ref())
            .and_then(|proto| tls::downstream(&cx.field("transport_socket"), proto)),
        transport_socket_connect_timeout: value::limit(
            cx,
            "transport_socket_connect_timeout",
            proto.transport_socket_connect_timeout.as_ref(),
            None,
        ),
        network_filters: Vec::new(),
        filter,
    })
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
        other => {
            cx.error(format!("filter type '{other}' is not supported"));
            None
        }
    }
}
