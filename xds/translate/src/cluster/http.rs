//! How HTTP is spoken upstream.

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{
    HttpProtocolOptions, http_protocol_options as options,
};
use options::explicit_http_config::ProtocolConfig;
use tandem_model::cluster::{UpstreamHttp, UpstreamProtocol};
use tandem_model::hcm::Http2Options;

use crate::cx::Cx;
use crate::protocol::{Common, http2};
use crate::value;

const EXTENSION: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

pub(super) fn upstream(cx: &Cx<'_>, proto: &Cluster) -> UpstreamHttp {
    let extensions = &cx.field("typed_extension_protocol_options");
    for name in proto
        .typed_extension_protocol_options
        .keys()
        .filter(|name| *name != EXTENSION)
    {
        extensions
            .key(name)
            .error(format!("expected the key '{EXTENSION}'"));
    }
    match proto.typed_extension_protocol_options.get(EXTENSION) {
        None => older(cx, proto),
        Some(any) => {
            let cx = &extensions.key(EXTENSION);
            value::unpack(cx, any)
                .map(|proto| extension(cx, &proto))
                .unwrap_or_default()
        }
    }
}

fn extension(cx: &Cx<'_>, proto: &HttpProtocolOptions) -> UpstreamHttp {
    use options::UpstreamProtocolOptions as Proto;
    let (protocol, http2) = match &proto.upstream_protocol_options {
        Some(Proto::ExplicitHttpConfig(config)) => match &config.protocol_config {
            Some(ProtocolConfig::Http2ProtocolOptions(proto)) => {
                let cx = &cx.field("explicit_http_config");
                (
                    UpstreamProtocol::Http2,
                    http2(&cx.field("http2_protocol_options"), Some(proto)),
                )
            }
            _ => (UpstreamProtocol::Http1, Http2Options::default()),
        },
        Some(Proto::UseDownstreamProtocolConfig(config)) => {
            let cx = &cx.field("use_downstream_protocol_config");
            let options = config.http2_protocol_options.as_ref();
            (
                UpstreamProtocol::Downstream,
                http2(&cx.field("http2_protocol_options"), options),
            )
        }
        Some(Proto::AutoConfig(config)) => {
            let cx = &cx.field("auto_config");
            let options = config.http2_protocol_options.as_ref();
            (
                UpstreamProtocol::Auto,
                http2(&cx.field("http2_protocol_options"), options),
            )
        }
        _ => {
            cx.error(
                "expected one of explicit_http_config, use_downstream_protocol_config, auto_config",
            );
            (UpstreamProtocol::Http1, Http2Options::default())
        }
    };
    let common = Common::of(cx, proto.common_http_protocol_options.as_ref());
    let names = proto
        .upstream_http_protocol_options
        .clone()
        .unwrap_or_default();
    let cx = &cx.field("upstream_http_protocol_options");
    if names.auto_san_validation && !names.auto_sni {
        cx.field("auto_san_validation")
            .error("not supported without auto_sni");
    }
    let header = value::text(&names.override_auto_sni_header);
    let header = header.filter(|header| **header != *":authority");
    let header = header
        .and_then(|header| value::header_name(&cx.field("override_auto_sni_header"), &header));
    UpstreamHttp {
        auto_sni: names.auto_sni,
        auto_san_validation: names.auto_san_validation,
        override_auto_sni_header: header,
        ..with(common, protocol, http2)
    }
}

/// The fields that Envoy had before the extension.
#[allow(deprecated, reason = "Envoy still takes the older fields")]
fn older(cx: &Cx<'_>, proto: &Cluster) -> UpstreamHttp {
    let (protocol, http2) = match &proto.http2_protocol_options {
        Some(options) => (
            UpstreamProtocol::Http2,
            http2(&cx.field("http2_protocol_options"), Some(options)),
        ),
        None => (UpstreamProtocol::Http1, Http2Options::default()),
    };
    let mut common = Common::of(cx, proto.common_http_protocol_options.as_ref());
    if let Some(max) = &proto.max_requests_per_connection {
        common.max_requests_per_connection = max.value;
    }
    with(common, protocol, http2)
}

fn with(common: Common, protocol: UpstreamProtocol, http2: Http2Options) -> UpstreamHttp {
    UpstreamHttp {
        protocol,
        idle_timeout: common.idle_timeout,
        max_connection_duration: common.max_connection_duration,
        max_stream_duration: common.max_stream_duration,
        max_requests_per_connection: common.max_requests_per_connection,
        max_headers_count: common.max_headers_count,
        max_response_headers_kb: common.max_response_headers_kb,
        http2,
        ..UpstreamHttp::default()
    }
}
