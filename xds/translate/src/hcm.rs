//! The HTTP connection manager.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3;
use envoy_types::pb::google::protobuf::BoolValue;
use http::HeaderValue;
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_model::hcm::{
    ClientCertDetails, CodecType, EscapedSlashes, ForwardClientCert, HttpConnectionManager,
    RouteSource, ServerHeader, StripPort,
};
use v3::http_connection_manager as proto;

use crate::cx::Cx;
use crate::protocol::{self, Common};
use crate::route::Scope;
use crate::{access_log, address, config_source, filter, route, value};

pub(crate) fn connection_manager(
    cx: &Cx<'_>,
    proto: &v3::HttpConnectionManager,
    scope: &Scope<'_>,
) -> Option<HttpConnectionManager> {
    let routes = match &proto.route_specifier {
        Some(proto::RouteSpecifier::RouteConfig(proto)) => Some(RouteSource::Inline(Arc::new(
            route::configuration(&cx.field("route_config"), proto, scope),
        ))),
        Some(proto::RouteSpecifier::Rds(proto)) => rds(&cx.field("rds"), proto),
        Some(proto::RouteSpecifier::ScopedRoutes(proto)) => {
            crate::scope::source(&cx.field("scoped_routes"), proto, scope)
        }
        None => {
            cx.error("expected one of route_config, rds, scoped_routes");
            None
        }
    };
    let chain = filter::chain(cx, &proto.http_filters);
    let common = Common::of(cx, proto.common_http_protocol_options.as_ref());
    let http1 = proto.http_protocol_options.clone().unwrap_or_default();
    let http2 = protocol::http2(
        &cx.field("http2_protocol_options"),
        proto.http2_protocol_options.as_ref(),
    );
    if (proto.http2_protocol_options.as_ref()).is_some_and(|options| options.allow_connect) {
        cx.field("http2_protocol_options")
            .field("allow_connect")
            .error("is not supported here: HTTP/2 clients are not offered extended CONNECT");
    }
    // An invalid message ends the connection, as Envoy's default has it.
    let stream_error = proto.stream_error_on_invalid_http_message.as_ref();
    if value::bool_or(stream_error, false) {
        cx.field("stream_error_on_invalid_http_message")
            .error("'true' is not supported");
    }
    let limit = |field, value, default| value::limit(cx, field, value, default);
    let duration = |field, value, default| value::duration(cx, field, value).unwrap_or(default);
    let (server_name, via) = (server_name(cx, &proto.server_name), via(cx, &proto.via));
    let upgrades = upgrades(
        cx,
        proto
            .upgrade_configs
            .iter()
            .map(|u| (u.upgrade_type.as_str(), u.enabled.as_ref())),
    );
    let internal_address = proto.internal_address_config.as_ref().map(|config| {
        if config.cidr_ranges.is_empty() {
            return private();
        }
        cx.field("internal_address_config")
            .each("cidr_ranges", &config.cidr_ranges, address::cidr)
    });
    let internal_unix_sockets =
        (proto.internal_address_config.as_ref()).is_some_and(|config| config.unix_sockets);
    let access_logs = access_log::access_logs(cx, &proto.access_log);
    let strip_port = strip_port(cx, proto);
    let (http_filters, router) = chain?;
    Some(HttpConnectionManager {
        stat_prefix: proto.stat_prefix.as_str().into(),
        codec: match proto.codec_type() {
            proto::CodecType::Http1 => CodecType::Http1,
            proto::CodecType::Http2 => CodecType::Http2,
            proto::CodecType::Auto | proto::CodecType::Http3 => CodecType::Auto,
        },
        routes: routes?,
        http_filters,
        router,
        access_logs,
        forward_client_cert: match proto.forward_client_cert_details() {
            proto::ForwardClientCertDetails::Sanitize => ForwardClientCert::Sanitize,
            proto::ForwardClientCertDetails::ForwardOnly => ForwardClientCert::ForwardOnly,
            proto::ForwardClientCertDetails::AppendForward => ForwardClientCert::AppendForward,
            proto::ForwardClientCertDetails::SanitizeSet => ForwardClientCert::SanitizeSet,
            proto::ForwardClientCertDetails::AlwaysForwardOnly => {
                ForwardClientCert::AlwaysForwardOnly
            }
        },
        client_cert_details: client_cert_details(proto),
        use_remote_address: value::bool_or(proto.use_remote_address.as_ref(), false),
        xff_num_trusted_hops: proto.xff_num_trusted_hops,
        skip_xff_append: proto.skip_xff_append,
        append_x_forwarded_port: proto.append_x_forwarded_port,
        internal_address,
        internal_unix_sockets,
        generate_request_id: value::bool_or(proto.generate_request_id.as_ref(), true),
        preserve_external_request_id: proto.preserve_external_request_id,
        always_set_request_id_in_response: proto.always_set_request_id_in_response,
        via,
        server_name,
        server_header: match proto.server_header_transformation() {
            proto::ServerHeaderTransformation::Overwrite => ServerHeader::Overwrite,
            proto::ServerHeaderTransformation::AppendIfAbsent => ServerHeader::AppendIfAbsent,
            proto::ServerHeaderTransformation::PassThrough => ServerHeader::PassThrough,
        },
        scheme: scheme(proto),
        normalize_path: value::bool_or(proto.normalize_path.as_ref(), false),
        merge_slashes: proto.merge_slashes,
        escaped_slashes: escaped_slashes(proto),
        underscores: common.underscores,
        strip_port,
        strip_trailing_host_dot: proto.strip_trailing_host_dot,
        max_request_headers_kb: value::u32_or(proto.max_request_headers_kb.as_ref(), 60),
        max_headers_count: common.max_headers_count,
        request_timeout: limit("request_timeout", proto.request_timeout.as_ref(), None),
        request_headers_timeout: limit(
            "request_headers_timeout",
            proto.request_headers_timeout.as_ref(),
            None,
        ),
        stream_idle_timeout: limit(
            "stream_idle_timeout",
            proto.stream_idle_timeout.as_ref(),
            Some(Duration::from_secs(300)),
        ),
        idle_timeout: common.idle_timeout,
        max_connection_duration: common.max_connection_duration,
        max_stream_duration: common.max_stream_duration,
        max_requests_per_connection: common.max_requests_per_connection,
        drain_timeout: duration(
            "drain_timeout",
            proto.drain_timeout.as_ref(),
            Duration::from_secs(5),
        ),
        delayed_close_timeout: duration(
            "delayed_close_timeout",
            proto.delayed_close_timeout.as_ref(),
            Duration::from_secs(1),
        ),
        upgrades,
        proxy_100_continue: proto.proxy_100_continue,
        accept_http_10: http1.accept_http_10,
        default_host_for_http_10: http1.default_host_for_http_10.as_str().into(),
        allow_absolute_url: value::bool_or(http1.allow_absolute_url.as_ref(), true),
        allow_chunked_length: http1.allow_chunked_length,
        enable_trailers: http1.enable_trailers,
        http2,
    })
}

fn client_cert_details(proto: &v3::HttpConnectionManager) -> ClientCertDetails {
    let details = proto.set_current_client_cert_details.unwrap_or_default();
    ClientCertDetails {
        subject: value::bool_or(details.subject.as_ref(), false),
        cert: details.cert,
        chain: details.chain,
        dns: details.dns,
        uri: details.uri,
    }
}

/// `upgrade_configs` of a connection manager or a route: names in lower case, each once.
pub(crate) fn upgrades<'p>(
    cx: &Cx<'_>,
    protos: impl Iterator<Item = (&'p str, Option<&'p BoolValue>)>,
) -> Vec<(Arc<str>, bool)> {
    let mut found: Vec<(Arc<str>, bool)> = Vec::new();
    let list = &cx.field("upgrade_configs");
    for (i, (name, enabled)) in protos.enumerate() {
        let lower: Arc<str> = name.to_ascii_lowercase().into();
        let cx = &list.index(i);
        if &*lower == "connect" {
            cx.field("upgrade_type").error("'CONNECT' is not supported");
        } else if found.iter().any(|(known, _)| *known == lower) {
            cx.field("upgrade_type")
                .error(format!("expected every upgrade once, got '{name}' again"));
        } else {
            found.push((lower, value::bool_or(enabled, true)));
        }
    }
    found
}

/// What counts as internal where `internal_address_config` names no ranges, as in Envoy: private
/// networks (RFC 1918, RFC 4193), and of the loopback networks the one address.
fn private() -> Vec<(IpAddr, u8)> {
    vec![
        (Ipv4Addr::new(10, 0, 0, 0).into(), 8),
        (Ipv4Addr::new(172, 16, 0, 0).into(), 12),
        (Ipv4Addr::new(192, 168, 0, 0).into(), 16),
        (Ipv4Addr::LOCALHOST.into(), 32),
        (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0).into(), 8),
        (Ipv6Addr::LOCALHOST.into(), 128),
    ]
}

fn server_name(cx: &Cx<'_>, name: &str) -> HeaderValue {
    let default = HeaderValue::from_static("envoy");
    match name {
        "" => default,
        name => value::header_value(&cx.field("server_name"), name).unwrap_or(default),
    }
}

fn via(cx: &Cx<'_>, via: &str) -> Option<HeaderValue> {
    value::text(via).and_then(|via| value::header_value(&cx.field("via"), &via))
}

fn rds(cx: &Cx<'_>, proto: &v3::Rds) -> Option<RouteSource> {
    let source = config_source::source(&cx.field("config_source"), proto.config_source.as_ref())?;
    if proto.route_config_name.is_empty() {
        cx.field("route_config_name").error("expected a name");
        return None;
    }
    Some(RouteSource::Rds(Subscribed {
        key: ResourceKey {
            origin: source.origin,
            name: proto.route_config_name.as_str().into(),
        },
        initial_fetch_timeout: source.initial_fetch_timeout,
    }))
}

fn scheme(proto: &v3::HttpConnectionManager) -> Option<Arc<str>> {
    use envoy_types::pb::envoy::config::core::v3::scheme_header_transformation::Transformation;
    let Transformation::SchemeToOverwrite(scheme) = proto
        .scheme_header_transformation
        .as_ref()?
        .transformation
        .as_ref()?;
    value::text(scheme)
}

fn strip_port(cx: &Cx<'_>, proto: &v3::HttpConnectionManager) -> StripPort {
    let any = matches!(
        proto.strip_port_mode,
        Some(proto::StripPortMode::StripAnyHostPort(true))
    );
    match (proto.strip_matching_host_port, any) {
        (true, true) => {
            cx.error("expected either strip_matching_host_port or strip_any_host_port");
            StripPort::Any
        }
        (true, false) => StripPort::Matching,
        (false, true) => StripPort::Any,
        (false, false) => StripPort::No,
    }
}

fn escaped_slashes(proto: &v3::HttpConnectionManager) -> EscapedSlashes {
    use proto::PathWithEscapedSlashesAction as Action;
    match proto.path_with_escaped_slashes_action() {
        Action::ImplementationSpecificDefault | Action::KeepUnchanged => {
            EscapedSlashes::KeepUnchanged
        }
        Action::RejectRequest => EscapedSlashes::RejectRequest,
        Action::UnescapeAndRedirect => EscapedSlashes::UnescapeAndRedirect,
        Action::UnescapeAndForward => EscapedSlashes::UnescapeAndForward,
    }
}
