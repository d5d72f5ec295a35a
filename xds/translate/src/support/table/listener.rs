//! Listeners, filter chains, the TCP proxy.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Listeners",
    types: types! {
        "envoy.config.listener.v3.Listener" {
            name, address, stat_prefix, filter_chains, per_connection_buffer_limit_bytes,
            tcp_backlog_size, enable_reuse_port, access_log, traffic_direction;
            metadata: "nothing that is supported reads it",
            max_connections_to_accept_per_socket_event: "it only tunes Envoy's event loop",
            listener_filters_timeout: "there are no listener filters that could take time",
            continue_on_listener_filters_timeout: "there are no listener filters",
        }
        "envoy.config.listener.v3.FilterChain" {
            name, filters, transport_socket, transport_socket_connect_timeout;
            metadata: "nothing that is supported reads it",
        }
        "envoy.config.listener.v3.Filter" {
            name,
            typed_config =
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
                | "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
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
