//! Listeners: where they listen, what looks at connections, and the chains they go to.

mod filter_chain;
mod listener_filter;

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection as Direction;
use envoy_types::pb::envoy::config::listener::v3 as proto;
use tandem_model::listener::{FilterChain, Listener, TrafficDirection};
use tandem_model::matching::FilterChains;

use crate::address::{self, Beside};
use crate::cx::Cx;
use crate::route::Scope;
use crate::{access_log, value};

pub(crate) fn listener(
    cx: &Cx<'_>,
    proto: &proto::Listener,
    scope: &Scope<'_>,
) -> Option<Listener> {
    let address = address::address(&cx.field("address"), proto.address.as_ref(), Beside::Pipe);
    let additional = "additional_addresses";
    let additional_addresses = cx.each(additional, &proto.additional_addresses, |cx, proto| {
        address::address(&cx.field("address"), proto.address.as_ref(), Beside::Pipe)
    });
    let filter_chains = filter_chains(cx, &proto.filter_chains, scope);
    let default_filter_chain = proto.default_filter_chain.as_ref().and_then(|proto| {
        let cx = &cx.field("default_filter_chain");
        filter_chain::filter_chain(cx, proto, scope).map(Arc::new)
    });
    if proto.filter_chains.is_empty() && proto.default_filter_chain.is_none() {
        cx.error("expected a filter chain");
    }
    let listener_filters = cx.each("listener_filters", &proto.listener_filters, |cx, proto| {
        listener_filter::listener_filter(cx, proto)
    });
    let access_logs = access_log::access_logs(cx, &proto.access_log);
    let address = address?;
    let by_address = address.to_string();
    Some(Listener {
        name: value::text(&proto.name).unwrap_or_else(|| by_address.as_str().into()),
        stat_prefix: value::text(&proto.stat_prefix)
            .unwrap_or_else(|| by_address.replace(':', "_").into()),
        address,
        additional_addresses,
        traffic_direction: match proto.traffic_direction() {
            Direction::Unspecified => TrafficDirection::Unspecified,
            Direction::Inbound => TrafficDirection::Inbound,
            Direction::Outbound => TrafficDirection::Outbound,
        },
        bind_to_port: value::bool_or(proto.bind_to_port.as_ref(), true),
        use_original_dst: value::bool_or(proto.use_original_dst.as_ref(), false),
        transparent: value::bool_or(proto.transparent.as_ref(), false),
        freebind: value::bool_or(proto.freebind.as_ref(), false),
        listener_filters,
        listener_filters_timeout: value::limit(
            cx,
            "listener_filters_timeout",
            proto.listener_filters_timeout.as_ref(),
            Some(Duration::from_secs(15)),
        ),
        continue_on_listener_filters_timeout: proto.continue_on_listener_filters_timeout,
        filter_chains,
        default_filter_chain,
        per_connection_buffer_limit_bytes: value::u32_or(
            proto.per_connection_buffer_limit_bytes.as_ref(),
            1024 * 1024,
        ),
        tcp_backlog_size: value::u32_or(proto.tcp_backlog_size.as_ref(), 1024),
        enable_reuse_port: value::bool_or(proto.enable_reuse_port.as_ref(), true),
        access_logs,
    })
}

/// The chains; no connection may be meant by two of them.
fn filter_chains(
    cx: &Cx<'_>,
    protos: &[proto::FilterChain],
    scope: &Scope<'_>,
) -> Vec<Arc<FilterChain>> {
    let chains = cx.each("filter_chains", protos, |cx, proto| {
        filter_chain::filter_chain(cx, proto, scope).map(Arc::new)
    });
    if chains.len() == protos.len()
        && let Err(overlap) = FilterChains::new(&chains)
    {
        let list = &cx.field("filter_chains");
        let reason = match overlap.first == overlap.second {
            true => "expected every matching rule once, one is said twice".to_owned(),
            false => format!(
                "expected matching rules that no other chain has, filter_chains[{}] takes the \
                 same connections",
                overlap.first
            ),
        };
        list.index(overlap.second)
            .field("filter_chain_match")
            .error(reason);
    }
    chains
}
