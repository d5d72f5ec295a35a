//! Routes.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Routes",
    types: types! {
        "envoy.config.route.v3.RouteConfiguration" {
            name, virtual_hosts, vhds, internal_only_headers, response_headers_to_add,
            response_headers_to_remove, request_headers_to_add, request_headers_to_remove,
            most_specific_header_mutations_wins, validate_clusters,
            max_direct_response_body_size_bytes, ignore_port_in_host_matching,
            ignore_path_parameters_in_path_matching,
            typed_per_filter_config =
                "envoy.config.route.v3.FilterConfig"
                | "envoy.extensions.filters.http.fault.v3.HTTPFault"
                | "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute"
                | "envoy.extensions.filters.http.rbac.v3.RBACPerRoute";
            metadata: "nothing that is supported reads it",
        }
        "envoy.config.route.v3.Vhds" { config_source }
        "envoy.config.route.v3.VirtualHost" {
            name, domains, routes, require_tls, request_headers_to_add, request_headers_to_remove,
            response_headers_to_add, response_headers_to_remove, include_request_attempt_count,
            include_attempt_count_in_response, retry_policy, per_request_buffer_limit_bytes,
            typed_per_filter_config =
                "envoy.config.route.v3.FilterConfig"
                | "envoy.extensions.filters.http.fault.v3.HTTPFault"
                | "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute"
                | "envoy.extensions.filters.http.rbac.v3.RBACPerRoute";
            metadata: "nothing that is supported reads it",
        }
        "envoy.config.route.v3.Route" {
            name, match, route, redirect, direct_response, non_forwarding_action,
            request_headers_to_add, request_headers_to_remove, response_headers_to_add,
            response_headers_to_remove, per_request_buffer_limit_bytes,
            typed_per_filter_config =
                "envoy.config.route.v3.FilterConfig"
                | "envoy.extensions.filters.http.fault.v3.HTTPFault"
                | "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute"
                | "envoy.extensions.filters.http.rbac.v3.RBACPerRoute";
            metadata: "nothing that is supported reads it",
            decorator: "there are no traces",
            stat_prefix: "there are no metrics per route",
        }
        "envoy.config.route.v3.FilterConfig" {
            config =
                "envoy.extensions.filters.http.fault.v3.HTTPFault"
                | "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute"
                | "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
            disabled, is_optional,
        }
        "envoy.config.route.v3.RouteMatch" {
            prefix, path, safe_regex, path_separated_prefix, case_sensitive, runtime_fraction,
            headers, query_parameters, grpc,
        }
        "envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions" {}
        "envoy.config.route.v3.NonForwardingAction" {}
        "envoy.config.route.v3.RouteAction" {
            cluster, cluster_header, weighted_clusters, cluster_not_found_response_code,
            prefix_rewrite, regex_rewrite, host_rewrite_literal, auto_host_rewrite,
            host_rewrite_header, host_rewrite_path_regex, host_rewrite, path_rewrite, append_x_forwarded_host, timeout,
            idle_timeout, retry_policy, priority, upgrade_configs, max_stream_duration,
            max_grpc_timeout, grpc_timeout_offset,
        }
        "envoy.config.route.v3.RouteAction.MaxStreamDuration" {
            max_stream_duration, grpc_timeout_header_max, grpc_timeout_header_offset,
        }
        "envoy.config.route.v3.RouteAction.UpgradeConfig" { upgrade_type, enabled }
        "envoy.config.route.v3.WeightedCluster" {
            clusters, runtime_key_prefix;
            total_weight: "the weights of the clusters are added up, as Envoy does",
        }
        "envoy.config.route.v3.WeightedCluster.ClusterWeight" {
            name, cluster_header, weight, request_headers_to_add, request_headers_to_remove,
            response_headers_to_add, response_headers_to_remove, host_rewrite_literal,
            typed_per_filter_config =
                "envoy.config.route.v3.FilterConfig"
                | "envoy.extensions.filters.http.fault.v3.HTTPFault"
                | "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute"
                | "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
        }
        "envoy.config.route.v3.RedirectAction" {
            https_redirect, scheme_redirect, host_redirect, port_redirect, path_redirect,
            prefix_rewrite, regex_rewrite, path_rewrite, response_code, strip_query,
        }
        "envoy.config.route.v3.DirectResponseAction" { status, body }
        "envoy.config.route.v3.RetryPolicy" {
            retry_on, num_retries, per_try_timeout, per_try_idle_timeout, retriable_status_codes,
            retry_back_off, retriable_headers, retriable_request_headers,
            retry_host_predicate, host_selection_retry_max_attempts, rate_limited_retry_back_off,
        }
        "envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff" { reset_headers, max_interval }
        "envoy.config.route.v3.RetryPolicy.ResetHeader" { name, format }
        "envoy.config.route.v3.RetryPolicy.RetryHostPredicate" {
            typed_config = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
            name: "the typed_config says which it is",
        }
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" {}
        "envoy.config.route.v3.RetryPolicy.RetryBackOff" { base_interval, max_interval }
        "envoy.config.route.v3.HeaderMatcher" {
            name, exact_match, safe_regex_match, range_match, present_match, prefix_match,
            suffix_match, contains_match, string_match, invert_match,
            treat_missing_header_as_empty,
        }
        "envoy.config.route.v3.QueryParameterMatcher" { name, string_match, present_match }
    },
};
