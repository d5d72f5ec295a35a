//! Messages that many parts use.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Common messages",
    types: types! {
        "envoy.config.core.v3.Address" { socket_address, pipe }
        "envoy.config.core.v3.Pipe" { path, mode }
        "envoy.config.core.v3.SocketAddress" { protocol = TCP, address, port_value }
        "envoy.config.core.v3.CidrRange" { address_prefix, prefix_len }
        "envoy.config.core.v3.DataSource" {
            inline_string, inline_bytes, filename, environment_variable,
        }
        "envoy.config.core.v3.HeaderValueOption" {
            header, append, append_action, keep_empty_value,
        }
        "envoy.config.core.v3.HeaderValue" { key, value }
        "envoy.config.core.v3.Metadata" {
            filter_metadata;
            typed_filter_metadata: "nothing that is supported reads it",
        }
        "envoy.config.core.v3.TypedExtensionConfig" {
            name,
            typed_config =
                "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
                | "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
                | "envoy.extensions.compression.gzip.compressor.v3.Gzip"
                | "envoy.extensions.compression.brotli.compressor.v3.Brotli"
                | "envoy.extensions.compression.zstd.compressor.v3.Zstd"
                | "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin"
                | "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest"
                | "envoy.extensions.load_balancing_policies.random.v3.Random"
                | "envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided"
                | "udpa.type.v1.TypedStruct"
                | "xds.type.v3.TypedStruct",
        }
        "udpa.type.v1.TypedStruct" { type_url, value }
        "xds.type.v3.TypedStruct" { type_url, value }
        "envoy.config.core.v3.TransportSocket" {
            name,
            typed_config = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
                | "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
                | "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        }
        "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" {}
        "envoy.config.core.v3.RuntimeFractionalPercent" {
            default_value, runtime_key,
        }
        "envoy.config.core.v3.RuntimeUInt32" {
            default_value, runtime_key,
        }
        "envoy.type.v3.FractionalPercent" { numerator, denominator }
        "envoy.type.v3.Percent" { value }
        "envoy.type.v3.Int64Range" { start, end }
        "envoy.type.matcher.v3.StringMatcher" {
            exact, prefix, suffix, safe_regex, contains, ignore_case,
        }
        "envoy.type.matcher.v3.ListStringMatcher" { patterns }
        "envoy.type.matcher.v3.RegexMatcher" {
            regex;
            google_re2: "there is no other engine to choose",
        }
        "envoy.type.matcher.v3.RegexMatchAndSubstitute" { pattern, substitution }
    },
};
