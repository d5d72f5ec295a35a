//! Listeners, filter chains, the TCP proxy.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Listeners",
    types: types! {
        "envoy.config.listener.v3.Listener" {
            name, address, additional_addresses, stat_prefix, filter_chains,
            default_filter_chain, bind_to_port, use_original_dst, transparent, freebind,
            listener_filters, listener_filters_timeout, continue_on_listener_filters_timeout,
            per_connection_buffer_limit_bytes, tcp_backlog_size, enable_reuse_port, access_log,
            traffic_direction;
            metadata: "nothing that is supported reads it",
            max_connections_to_accept_per_socket_event: "it only tunes Envoy's event loop",
            connection_balance_config: "the kernel spreads connections among the workers",
            ignore_global_conn_limit: "there is no such limit",
            bypass_overload_manager: "there is no overload manager",
            drain_type: "it only says whether a failed health check drains, and there is none",
        }
        "envoy.config.listener.v3.AdditionalAddress" { address }
        "envoy.config.listener.v3.FilterChain" {
            name, filter_chain_match, filters, transport_socket,
            transport_socket_connect_timeout;
            metadata: "nothing that is supported reads it",
        }
        "envoy.config.listener.v3.FilterChainMatch" {
            destination_port, prefix_ranges, server_names, transport_protocol,
            application_protocols, direct_source_prefix_ranges, source_type,
            source_prefix_ranges, source_ports,
        }
        "envoy.config.listener.v3.ListenerFilter" {
            name, filter_disabled,
            typed_config = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"
                | "envoy.extensions.filters.listener.original_src.v3.OriginalSrc"
                | "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
                | "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
        }
        "envoy.config.listener.v3.ListenerFilterChainMatchPredicate" {
            or_match, and_match, not_match, any_match, destination_port_range,
        }
        "envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet" { rules }
        "envoy.type.v3.Int32Range" { start, end }
        "envoy.extensions.filters.listener.original_dst.v3.OriginalDst" {}
        "envoy.extensions.filters.listener.original_src.v3.OriginalSrc" { mark }
        "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector" {
            initial_read_buffer_size, max_client_hello_size,
            close_connection_on_client_hello_parsing_errors,
        }
        "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector" {}
        "envoy.config.listener.v3.Filter" {
            name,
            typed_config =
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
                | "envoy.extensions.filters.network.rbac.v3.RBAC"
                | "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        }
        "envoy.extensions.filters.network.rbac.v3.RBAC" {
            rules, shadow_rules, shadow_rules_stat_prefix, stat_prefix, enforcement_type,
            delay_deny,
        }
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy" {
            stat_prefix, cluster, weighted_clusters, idle_timeout,
            max_downstream_connection_duration, max_connect_attempts, access_log,
        }
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster" { clusters }
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight" {
            name, weight,
        }
    },
};
