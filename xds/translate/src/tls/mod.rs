//! Transport sockets: plain, or TLS with clients and endpoints.

mod params;
mod secret;
mod validation;

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{self as core, transport_socket::ConfigType};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as proto;
use envoy_types::pb::google::protobuf::Any;
use tandem_model::tls::{CommonTls, DownstreamTls, TlsVersion, UpstreamTls, UpstreamTransport};

use crate::cx::Cx;
use crate::value;

pub(crate) use secret::secret;

const RAW: &str = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
const DOWNSTREAM: &str = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const UPSTREAM: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// The protocol by which Istio's proxies agree to write to each other before the application
/// does. It is neither offered nor accepted, since that exchange is not there.
const PEER_EXCHANGE: &str = "istio-peer-exchange";

/// The transport socket of a filter chain: `None` if it is plain, or wrong.
pub(crate) fn downstream(cx: &Cx<'_>, proto: &core::TransportSocket) -> Option<Arc<DownstreamTls>> {
    let any = config(cx, proto, DOWNSTREAM)?;
    let cx = &cx.field("typed_config");
    let proto: proto::DownstreamTlsContext = value::unpack(cx, any)?;
    let common = common(cx, proto.common_tls_context.as_ref(), TlsVersion::V1_3)?;
    if common.certificates.is_empty() {
        cx.field("common_tls_context")
            .error("expected a certificate: a server needs one");
        return None;
    }
    Some(Arc::new(DownstreamTls {
        common,
        require_client_certificate: value::bool_or(
            proto.require_client_certificate.as_ref(),
            false,
        ),
        disable_stateless_session_resumption: matches!(
            proto.session_ticket_keys_type,
            Some(
                proto::downstream_tls_context::SessionTicketKeysType::DisableStatelessSessionResumption(
                    true
                )
            )
        ),
        disable_stateful_session_resumption: proto.disable_stateful_session_resumption,
        prefer_client_ciphers: proto.prefer_client_ciphers,
    }))
}

/// The transport socket of a cluster.
pub(crate) fn upstream(cx: &Cx<'_>, proto: Option<&core::TransportSocket>) -> UpstreamTransport {
    let tls = proto.and_then(|proto| upstream_tls(cx, proto));
    tls.map_or(UpstreamTransport::Raw, |tls| {
        UpstreamTransport::Tls(Arc::new(tls))
    })
}

fn upstream_tls(cx: &Cx<'_>, proto: &core::TransportSocket) -> Option<UpstreamTls> {
    let any = config(cx, proto, UPSTREAM)?;
    let cx = &cx.field("typed_config");
    let proto: proto::UpstreamTlsContext = value::unpack(cx, any)?;
    // As in Envoy, a client that is not told otherwise speaks no newer version.
    let common = common(cx, proto.common_tls_context.as_ref(), TlsVersion::V1_2)?;
    if common.certificates.len() > 1 {
        cx.field("common_tls_context")
            .error("expected one certificate at most: a client has one");
    }
    if proto.auto_sni_san_validation && common.validation.is_none() {
        cx.field("auto_sni_san_validation").error(
            "expected a validation context in common_tls_context: a name without roots is no proof",
        );
    }
    Some(UpstreamTls {
        common,
        sni: proto.sni.as_str().into(),
        auto_host_sni: proto.auto_host_sni,
        auto_sni_san_validation: proto.auto_sni_san_validation,
        max_session_keys: value::u32_or(proto.max_session_keys.as_ref(), 1),
    })
}

/// The settings of a transport socket of the wanted type; `None` if it is plain. (That a type
/// is known at all has been checked; here it may be the other side's.)
fn config<'a>(cx: &Cx<'_>, proto: &'a core::TransportSocket, wanted: &str) -> Option<&'a Any> {
    let Some(ConfigType::TypedConfig(any)) = &proto.config_type else {
        if !proto.name.ends_with("raw_buffer") {
            cx.error("expected a typed_config");
        }
        return None;
    };
    match value::type_name(any) {
        RAW => None,
        found if found == wanted => Some(any),
        found => {
            let wanted = wanted.rsplit('.').next().unwrap_or_default();
            let reason = format!("expected '{wanted}' here, got '{found}'");
            cx.field("typed_config").error(reason);
            None
        }
    }
}

fn common(
    cx: &Cx<'_>,
    proto: Option<&proto::CommonTlsContext>,
    newest: TlsVersion,
) -> Option<CommonTls> {
    let cx = &cx.field("common_tls_context");
    let default = proto::CommonTlsContext::default();
    let proto = proto.unwrap_or(&default);
    let params = params::params(&cx.field("tls_params"), proto.tls_params.as_ref(), newest)?;
    let alpn = proto.alpn_protocols.iter().filter_map(|protocol| {
        let cx = &cx.field("alpn_protocols");
        match protocol.len() {
            1..=255 => (protocol != PEER_EXCHANGE).then(|| Arc::from(protocol.as_str())),
            length => {
                cx.error(format!("expected names of 1 to 255 bytes, got {length}"));
                None
            }
        }
    });
    Some(CommonTls {
        min_version: params.min_version,
        max_version: params.max_version,
        cipher_suites: params.cipher_suites,
        curves: params.curves,
        alpn: alpn.collect(),
        certificates: secret::certificates(cx, proto),
        validation: validation::reference(cx, proto.validation_context_type.as_ref())?,
    })
}
