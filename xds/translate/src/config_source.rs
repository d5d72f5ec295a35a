//! Where configuration comes from that is not in the bootstrap.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::google::protobuf;
use http::{HeaderName, HeaderValue};
use tandem_model::config_source::{
    ApiConfigSource, ApiType, ConfigSource, ControlPlane, Origin, PathConfigSource,
};

use crate::cx::Cx;
use crate::value;

const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// Translates a source; `None` if it is not there or was reported.
pub(crate) fn source(cx: &Cx<'_>, proto: Option<&core::ConfigSource>) -> Option<ConfigSource> {
    needing(cx, proto, true)
}

/// A source of secrets, for which what needs them waits: its cluster may come later, as in Envoy.
pub(crate) fn of_secrets(cx: &Cx<'_>, proto: Option<&core::ConfigSource>) -> Option<ConfigSource> {
    needing(cx, proto, false)
}

#[allow(deprecated, reason = "`path` is still what many files have")]
fn needing(cx: &Cx<'_>, proto: Option<&core::ConfigSource>, at_once: bool) -> Option<ConfigSource> {
    use core::config_source::ConfigSourceSpecifier as Specifier;
    let Some(proto) = proto else {
        cx.error("expected a config source");
        return None;
    };
    cx.subscribes();
    let origin = match &proto.config_source_specifier {
        Some(Specifier::Ads(_)) => Origin::Ads,
        Some(Specifier::ApiConfigSource(proto)) => Origin::Api(Arc::new(api(
            &cx.field("api_config_source"),
            proto,
            at_once,
        )?)),
        Some(Specifier::PathConfigSource(proto)) => Origin::Path(Arc::new(PathConfigSource {
            path: PathBuf::from(&proto.path),
            watched_directory: proto
                .watched_directory
                .as_ref()
                .map(|directory| PathBuf::from(&directory.path)),
        })),
        Some(Specifier::Path(path)) => Origin::Path(Arc::new(PathConfigSource {
            path: PathBuf::from(path),
            watched_directory: None,
        })),
        Some(Specifier::Self_(_)) => {
            cx.error("'self' is not supported");
            return None;
        }
        None => {
            cx.error("expected one of ads, api_config_source, path_config_source");
            return None;
        }
    };
    Some(ConfigSource {
        origin,
        initial_fetch_timeout: value::limit(
            cx,
            "initial_fetch_timeout",
            proto.initial_fetch_timeout.as_ref(),
            Some(FETCH_TIMEOUT),
        ),
    })
}

/// The aggregated stream, which is gRPC.
pub(crate) fn ads(cx: &Cx<'_>, proto: &core::ApiConfigSource) -> Option<ApiConfigSource> {
    cx.subscribes();
    let api = api(cx, proto, true)?;
    if api.api == ApiType::Rest {
        cx.field("api_type")
            .error("expected GRPC or DELTA_GRPC: there is no aggregated stream over REST");
        return None;
    }
    Some(api)
}

/// A source of its own.
fn api(cx: &Cx<'_>, proto: &core::ApiConfigSource, at_once: bool) -> Option<ApiConfigSource> {
    use core::api_config_source::ApiType as Proto;
    let api = match proto.api_type() {
        Proto::Grpc => ApiType::Grpc,
        Proto::DeltaGrpc => ApiType::DeltaGrpc,
        Proto::Rest => ApiType::Rest,
        other => {
            let name = other.as_str_name();
            cx.field("api_type")
                .error(format!("'{name}' is not supported"));
            return None;
        }
    };
    let services = match api {
        ApiType::Rest => (proto.cluster_names.iter())
            .map(|name| plain(name.as_str().into()))
            .collect(),
        ApiType::Grpc | ApiType::DeltaGrpc => {
            cx.each("grpc_services", &proto.grpc_services, control_plane)
        }
    };
    if at_once {
        clusters_of(cx, proto, api);
    }
    let refresh_delay = value::duration(cx, "refresh_delay", proto.refresh_delay.as_ref());
    if services.is_empty() {
        cx.error(match api {
            ApiType::Rest => "expected cluster_names",
            ApiType::Grpc | ApiType::DeltaGrpc => "expected grpc_services",
        });
        return None;
    }
    if api == ApiType::Rest && refresh_delay.is_none() {
        cx.error("expected refresh_delay, which api_type REST needs");
        return None;
    }
    Some(ApiConfigSource {
        api,
        services,
        refresh_delay: refresh_delay.unwrap_or_default(),
        request_timeout: positive(cx, "request_timeout", proto.request_timeout.as_ref())
            .unwrap_or(Duration::from_secs(1)),
    })
}

/// The clusters that lead to it have to be there when it is asked.
fn clusters_of(cx: &Cx<'_>, proto: &core::ApiConfigSource, api: ApiType) {
    use core::grpc_service::TargetSpecifier;
    if api == ApiType::Rest {
        let cx = &cx.field("cluster_names");
        for (i, name) in proto.cluster_names.iter().enumerate() {
            cx.index(i).needs(name);
        }
        return;
    }
    let cx = &cx.field("grpc_services");
    for (i, service) in proto.grpc_services.iter().enumerate() {
        if let Some(TargetSpecifier::EnvoyGrpc(target)) = &service.target_specifier {
            let cx = &cx.index(i);
            let cx = &cx.field("envoy_grpc");
            cx.field("cluster_name").needs(&target.cluster_name);
        }
    }
}

fn positive(cx: &Cx<'_>, field: &str, proto: Option<&protobuf::Duration>) -> Option<Duration> {
    value::duration(cx, field, proto).filter(|duration| !duration.is_zero())
}

fn plain(cluster: Arc<str>) -> ControlPlane {
    ControlPlane {
        authority: Arc::clone(&cluster),
        cluster,
        initial_metadata: Vec::new(),
    }
}

/// A control plane that a cluster leads to.
pub(crate) fn control_plane(cx: &Cx<'_>, proto: &core::GrpcService) -> Option<ControlPlane> {
    use core::grpc_service::TargetSpecifier;
    let Some(TargetSpecifier::EnvoyGrpc(target)) = &proto.target_specifier else {
        cx.error("expected envoy_grpc");
        return None;
    };
    let metadata = cx.each("initial_metadata", &proto.initial_metadata, |cx, header| {
        let name = cx
            .field("key")
            .ok(HeaderName::from_bytes(header.key.as_bytes()))?;
        let value = HeaderValue::from_str(&header.value);
        Some((name, cx.field("value").ok(value)?))
    });
    let mut plane = plain(target.cluster_name.as_str().into());
    if let Some(authority) = value::text(&target.authority) {
        plane.authority = authority;
    }
    plane.initial_metadata = metadata;
    Some(plane)
}
