//! Clusters and endpoints.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Clusters",
    types: types! {
        "envoy.config.cluster.v3.Cluster" {
            name, alt_stat_name,
            type = STATIC | STRICT_DNS | LOGICAL_DNS | EDS | ORIGINAL_DST, cluster_type,
            connect_timeout, per_connection_buffer_limit_bytes,
            lb_policy = ROUND_ROBIN | LEAST_REQUEST | RANDOM | CLUSTER_PROVIDED
                | LOAD_BALANCING_POLICY_CONFIG,
            load_balancing_policy, round_robin_lb_config, least_request_lb_config, common_lb_config, load_assignment,
            eds_cluster_config, circuit_breakers,
            outlier_detection, typed_extension_protocol_options =
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            http2_protocol_options, common_http_protocol_options, max_requests_per_connection,
            dns_refresh_rate, dns_failure_refresh_rate, dns_jitter, respect_dns_ttl,
            dns_lookup_family, typed_dns_resolver_config, upstream_connection_options,
            upstream_bind_config, original_dst_lb_config, cleanup_interval,
            transport_socket, transport_socket_matches;
            metadata: "nothing that is supported reads it",
            ignore_health_on_host_removal: "there are no active health checks",
        }
        "envoy.config.cluster.v3.Cluster.CustomClusterType" {
            name, typed_config = "envoy.extensions.clusters.dns.v3.DnsCluster",
        }
        "envoy.extensions.clusters.dns.v3.DnsCluster" {
            dns_refresh_rate, dns_failure_refresh_rate, respect_dns_ttl, dns_jitter,
            typed_dns_resolver_config, dns_lookup_family, all_addresses_in_single_endpoint,
        }
        "envoy.extensions.clusters.dns.v3.DnsCluster.RefreshRate" { base_interval, max_interval }
        "envoy.config.cluster.v3.LoadBalancingPolicy" { policies }
        "envoy.config.cluster.v3.LoadBalancingPolicy.Policy" { typed_extension_config }
        "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin" { locality_lb_config }
        "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest" {
            choice_count, selection_method = N_CHOICES, locality_lb_config,
        }
        "envoy.extensions.load_balancing_policies.random.v3.Random" { locality_lb_config }
        "envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided" {}
        "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig" {
            zone_aware_lb_config, locality_weighted_lb_config,
        }
        "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.LocalityWeightedLbConfig" {}
        "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.ZoneAwareLbConfig" {
            ;
            routing_enabled: "the cluster of this process (local_cluster_name) is not known",
            min_cluster_size: "the cluster of this process (local_cluster_name) is not known",
            force_local_zone: "the cluster of this process (local_cluster_name) is not known",
            locality_basis: "the cluster of this process (local_cluster_name) is not known",
        }
        "envoy.config.cluster.v3.Cluster.EdsClusterConfig" { eds_config, service_name }
        "envoy.config.cluster.v3.Cluster.RoundRobinLbConfig" {}
        "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig" { choice_count }
        "envoy.config.cluster.v3.Cluster.CommonLbConfig" {
            healthy_panic_threshold, locality_weighted_lb_config, zone_aware_lb_config;
            update_merge_window: "changes take effect at once; merging them would only save work",
            ignore_new_hosts_until_first_hc: "there are no active health checks",
        }
        "envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig" {}
        "envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig" {
            ;
            routing_enabled: "the cluster of this process (local_cluster_name) is not known",
            min_cluster_size: "the cluster of this process (local_cluster_name) is not known",
        }
        "envoy.config.cluster.v3.Cluster.OriginalDstLbConfig" {
            use_http_header, http_header_name, upstream_port_override,
        }
        "envoy.config.cluster.v3.Cluster.RefreshRate" { base_interval, max_interval }
        "envoy.config.core.v3.BindConfig" {
            source_address, extra_source_addresses, socket_options,
        }
        "envoy.config.core.v3.ExtraSourceAddress" { address }
        "envoy.config.core.v3.SocketOption" {
            level, name, int_value, state;
            description: "it is for people",
        }
        "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig" { resolvers }
        "envoy.config.cluster.v3.CircuitBreakers" { thresholds }
        "envoy.config.cluster.v3.CircuitBreakers.Thresholds" {
            priority, max_connections, max_pending_requests, max_requests, max_retries,
            retry_budget, track_remaining,
        }
        "envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget" {
            budget_percent, min_retry_concurrency,
        }
        "envoy.config.cluster.v3.OutlierDetection" {
            consecutive_5xx, enforcing_consecutive_5xx, consecutive_gateway_failure,
            enforcing_consecutive_gateway_failure, consecutive_local_origin_failure,
            enforcing_consecutive_local_origin_failure, split_external_local_origin_errors,
            interval, base_ejection_time, max_ejection_time, max_ejection_time_jitter,
            max_ejection_percent, always_eject_one_host, enforcing_success_rate, enforcing_failure_percentage,
            enforcing_local_origin_success_rate, enforcing_failure_percentage_local_origin,
            success_rate_minimum_hosts, success_rate_request_volume, success_rate_stdev_factor,
            failure_percentage_minimum_hosts, failure_percentage_request_volume,
            failure_percentage_threshold,
            successful_active_health_check_uneject_host, detect_degraded_hosts,
        }
        "envoy.config.cluster.v3.UpstreamConnectionOptions" { tcp_keepalive }
        "envoy.config.core.v3.TcpKeepalive" {
            keepalive_probes, keepalive_time, keepalive_interval,
        }
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" {
            common_http_protocol_options, explicit_http_config, use_downstream_protocol_config,
            auto_config, upstream_http_protocol_options,
        }
        "envoy.config.core.v3.UpstreamHttpProtocolOptions" {
            auto_sni, auto_san_validation, override_auto_sni_header,
        }
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig" {
            http_protocol_options, http2_protocol_options,
        }
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig" {
            http_protocol_options, http2_protocol_options,
        }
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig" {
            http_protocol_options, http2_protocol_options,
        }
        "envoy.config.endpoint.v3.ClusterLoadAssignment" { cluster_name, endpoints, policy }
        "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy" { overprovisioning_factor }
        "envoy.config.endpoint.v3.LocalityLbEndpoints" {
            locality, lb_endpoints, load_balancing_weight, priority, metadata,
        }
        "envoy.config.endpoint.v3.LbEndpoint" {
            endpoint, health_status, load_balancing_weight, metadata,
        }
        "envoy.config.core.v3.Metadata" {
            filter_metadata;
            typed_filter_metadata: "nothing that is supported reads it",
        }
        "envoy.config.cluster.v3.Cluster.TransportSocketMatch" { name, match, transport_socket }
        "envoy.config.endpoint.v3.Endpoint" {
            address, hostname;
            health_check_config: "there are no active health checks",
        }
    },
};
