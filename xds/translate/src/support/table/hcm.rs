//! The HTTP connection manager and the protocols' options.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "HTTP connection manager",
    types: types! {
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager" {
            codec_type = AUTO | HTTP1 | HTTP2,
            stat_prefix, route_config, rds, scoped_routes, http_filters, access_log,
            use_remote_address, xff_num_trusted_hops, skip_xff_append, append_x_forwarded_port,
            internal_address_config, generate_request_id, preserve_external_request_id,
            always_set_request_id_in_response, request_id_extension, via, server_name,
            server_header_transformation, scheme_header_transformation, normalize_path, merge_slashes,
            path_with_escaped_slashes_action, strip_matching_host_port, strip_any_host_port,
            strip_trailing_host_dot, common_http_protocol_options, http_protocol_options,
            http2_protocol_options, max_request_headers_kb, request_timeout,
            request_headers_timeout, stream_idle_timeout, drain_timeout, delayed_close_timeout,
            upgrade_configs, proxy_100_continue, tracing, forward_client_cert_details,
            set_current_client_cert_details, stream_error_on_invalid_http_message,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails" {
            subject, cert, chain, dns, uri,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing" {
            ;
            client_sampling: "without a provider, which is refused, nothing is traced",
            random_sampling: "without a provider, which is refused, nothing is traced",
            overall_sampling: "without a provider, which is refused, nothing is traced",
            verbose: "without a provider, which is refused, nothing is traced",
            max_path_tag_length: "without a provider, which is refused, nothing is traced",
            custom_tags: "without a provider, which is refused, nothing is traced",
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.Rds" {
            config_source, route_config_name,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes" {
            name, scope_key_builder, rds_config_source, scoped_route_configurations_list, scoped_rds,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder" {
            fragments,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder.FragmentBuilder" {
            header_value_extractor,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor" {
            name, element_separator, index, element,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor.KvElement" {
            separator, key,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRouteConfigurationsList" {
            scoped_route_configurations,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRds" { scoped_rds_config_source }
        "envoy.config.route.v3.ScopedRouteConfiguration" {
            name, key, route_configuration_name, route_configuration,
        }
        "envoy.config.route.v3.ScopedRouteConfiguration.Key" { fragments }
        "envoy.config.route.v3.ScopedRouteConfiguration.Key.Fragment" { string_key }
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig" {
            unix_sockets, cidr_ranges,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig" {
            upgrade_type, enabled,
        }
        "envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension" {
            typed_config = "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
        }
        "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig" {
            ;
            pack_trace_reason: "there are no traces",
            use_request_id_for_trace_sampling: "there are no traces",
        }
        "envoy.config.core.v3.SchemeHeaderTransformation" { scheme_to_overwrite }
        "envoy.config.core.v3.HttpProtocolOptions" {
            idle_timeout, max_connection_duration, max_headers_count, max_response_headers_kb,
            max_stream_duration, headers_with_underscores_action, max_requests_per_connection,
        }
        "envoy.config.core.v3.Http1ProtocolOptions" {
            allow_absolute_url, accept_http_10, default_host_for_http_10, enable_trailers,
            allow_chunked_length,
        }
        "envoy.config.core.v3.Http2ProtocolOptions" {
            max_concurrent_streams, initial_stream_window_size, initial_connection_window_size,
            connection_keepalive, allow_connect,
        }
        "envoy.config.core.v3.KeepaliveSettings" { interval, timeout }
    },
};
