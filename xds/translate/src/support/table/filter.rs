//! HTTP filters.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "HTTP filters",
    types: types! {
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter" {
            name,
            typed_config =
                "envoy.extensions.filters.http.router.v3.Router"
                | "envoy.extensions.filters.http.compressor.v3.Compressor"
                | "envoy.extensions.filters.http.fault.v3.HTTPFault"
                | "envoy.extensions.filters.http.rbac.v3.RBAC"
                | "envoy.extensions.filters.http.cors.v3.Cors"
                | "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig"
                | "tandem.filter.runtime.v1.Runtime",
            config_discovery, disabled, is_optional,
        }
        "envoy.config.core.v3.ExtensionConfigSource" {
            config_source,
            default_config =
                "envoy.extensions.filters.http.compressor.v3.Compressor"
                | "envoy.extensions.filters.http.fault.v3.HTTPFault"
                | "envoy.extensions.filters.http.rbac.v3.RBAC"
                | "envoy.extensions.filters.http.cors.v3.Cors"
                | "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
            apply_default_config_without_warming, type_urls,
        }
        "envoy.extensions.filters.http.cors.v3.Cors" {}
        "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig" {
            ;
            emit_filter_state: "nothing that is supported reads it",
            individual_method_stats_allowlist: "gRPC methods are not counted one by one",
            stats_for_all_methods: "gRPC methods are not counted one by one",
            enable_upstream_stats: "gRPC methods are not counted one by one",
            replace_dots_in_grpc_service_name: "gRPC methods are not counted one by one",
        }
        "envoy.extensions.filters.http.router.v3.Router" {
            suppress_envoy_headers, strict_check_headers, respect_expected_rq_timeout;
            dynamic_stats: "it only thins out metrics",
            start_child_span: "there are no traces",
        }
        "envoy.extensions.filters.http.compressor.v3.Compressor" {
            compressor_library, request_direction_config, response_direction_config,
            choose_first, content_length, content_type, disable_on_etag_header,
            remove_accept_encoding_header, runtime_enabled,
        }
        "envoy.extensions.filters.http.compressor.v3.Compressor.CommonDirectionConfig" {
            enabled, min_content_length, content_type, content_type_matcher,
        }
        "envoy.extensions.filters.http.compressor.v3.Compressor.RequestDirectionConfig" {
            common_config,
        }
        "envoy.extensions.filters.http.compressor.v3.Compressor.ResponseDirectionConfig" {
            common_config, disable_on_etag_header, weaken_etag_on_compress,
            remove_accept_encoding_header, uncompressible_response_codes,
        }
        "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute" { disabled }
        "envoy.config.core.v3.RuntimeFeatureFlag" { default_value, runtime_key }
        "envoy.extensions.compression.gzip.compressor.v3.Gzip" {
            memory_level, compression_level, compression_strategy, window_bits, chunk_size,
        }
        "envoy.extensions.compression.brotli.compressor.v3.Brotli" {
            quality, encoder_mode, window_bits, input_block_bits, chunk_size,
            disable_literal_context_modeling,
        }
        "envoy.extensions.compression.zstd.compressor.v3.Zstd" {
            compression_level, enable_checksum, strategy, chunk_size,
        }
        "envoy.extensions.filters.http.fault.v3.HTTPFault" {
            delay, abort, upstream_cluster, headers, downstream_nodes, max_active_faults,
            delay_percent_runtime, abort_percent_runtime, delay_duration_runtime,
            abort_http_status_runtime, max_active_faults_runtime, abort_grpc_status_runtime;
            response_rate_limit_percent_runtime: "there is no rate limit that it could set",
            disable_downstream_cluster_stats: "there are no metrics per downstream cluster",
            filter_metadata: "nothing that is supported reads it",
        }
        "envoy.extensions.filters.common.fault.v3.FaultDelay" {
            fixed_delay, header_delay, percentage,
        }
        "envoy.extensions.filters.common.fault.v3.FaultDelay.HeaderDelay" {}
        "envoy.extensions.filters.http.fault.v3.FaultAbort" {
            http_status, grpc_status, header_abort, percentage,
        }
        "envoy.extensions.filters.http.fault.v3.FaultAbort.HeaderAbort" {}
        "tandem.filter.runtime.v1.Runtime" {
            app, apis = LAYOTTO_GRPC, resources_paths, data_dir, outbound_listener,
            default_invoke_port,
        }
        "tandem.filter.runtime.v1.App" { app_id, host, port, protocol, callback }
        "tandem.filter.runtime.v1.Callback" { host, port }
    },
};
