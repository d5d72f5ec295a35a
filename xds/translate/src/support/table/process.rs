//! The process: bootstrap, node, admin.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Process",
    types: types! {
        "envoy.config.bootstrap.v3.Bootstrap" {
            node, static_resources, dynamic_resources, admin, layered_runtime,
            bootstrap_extensions, overload_manager, stats_config, application_log_config;
            deferred_stat_options: "it says when memory is taken for a metric, not what it counts",
            stats_flush_interval: "metrics are read when they are asked for, never flushed",
            enable_dispatcher_stats: "there is no dispatcher",
        }
        "envoy.config.bootstrap.v3.Bootstrap.StaticResources" {
            listeners, clusters, secrets,
        }
        "envoy.extensions.bootstrap.internal_listener.v3.InternalListener" { buffer_size_kb }
        "envoy.config.overload.v3.OverloadManager" { resource_monitors }
        "envoy.config.overload.v3.ResourceMonitor" {
            name,
            typed_config = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        }
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig" {
            ;
            max_active_downstream_connections: "since what would limit anything, a number below 2147483647, is refused",
        }
        "envoy.config.bootstrap.v3.Bootstrap.ApplicationLogConfig" { log_format }
        "envoy.config.bootstrap.v3.Bootstrap.ApplicationLogConfig.LogFormat" {
            text_format, json_format,
        }
        "envoy.config.metrics.v3.StatsConfig" {
            stats_tags, use_all_default_tags, stats_matcher,
        }
        "envoy.config.metrics.v3.TagSpecifier" { tag_name, regex, fixed_value }
        "envoy.config.metrics.v3.StatsMatcher" { reject_all, exclusion_list, inclusion_list }
        "envoy.config.bootstrap.v3.LayeredRuntime" { layers }
        "envoy.config.bootstrap.v3.RuntimeLayer" { name, static_layer, admin_layer, rtds_layer }
        "envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer" {}
        "envoy.config.bootstrap.v3.RuntimeLayer.RtdsLayer" { name, rtds_config }
        "envoy.service.runtime.v3.Runtime" { name, layer }
        "envoy.config.core.v3.Node" {
            id, cluster, locality, metadata, user_agent_name, user_agent_version,
            user_agent_build_version, extensions, client_features,
        }
        "envoy.type.v3.SemanticVersion" { major_number, minor_number, patch }
        "envoy.config.core.v3.BuildVersion" { version, metadata }
        "envoy.config.core.v3.Extension" { name, category, type_urls, disabled, version }
        "envoy.config.bootstrap.v3.Bootstrap.DynamicResources" {
            ads_config, cds_config, lds_config,
        }
        "envoy.config.core.v3.ConfigSource" {
            ads, api_config_source, path, path_config_source, resource_api_version = AUTO | V3,
            initial_fetch_timeout,
        }
        "envoy.config.core.v3.AggregatedConfigSource" {}
        "envoy.config.core.v3.ApiConfigSource" {
            api_type = GRPC | DELTA_GRPC | REST, transport_api_version = AUTO | V3, grpc_services,
            cluster_names, refresh_delay, request_timeout;
            set_node_on_first_message_only:
                "the node always goes with the first request of a stream, and only with it",
        }
        "envoy.config.core.v3.PathConfigSource" { path, watched_directory }
        "envoy.config.core.v3.GrpcService" {
            envoy_grpc, initial_metadata;
            timeout: "only streams are opened, which it does not end in Envoy either",
        }
        "envoy.config.core.v3.GrpcService.EnvoyGrpc" { cluster_name, authority }
        "envoy.config.core.v3.Locality" { region, zone, sub_zone }
        "envoy.config.bootstrap.v3.Admin" {
            address, access_log_path, access_log;
            profile_path: "there is no profiler to write there",
        }
    },
};
