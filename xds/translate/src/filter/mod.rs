//! HTTP filters: the list of a connection manager, and what routes say of them.

mod compressor;
mod discovery;
mod fault;
mod rbac;
mod router;
mod runtime;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter as Proto, http_filter::ConfigType,
};
use envoy_types::pb::google::protobuf::Any;
use tandem_model::filter::discovery::Extension;
use tandem_model::filter::router::Router;
use tandem_model::filter::{
    FilterConfig, FilterSource, HttpFilter, PerRouteConfig, PerRouteFilter,
};

use crate::cx::Cx;
use crate::{support, value};

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
const COMPRESSOR: &str = "envoy.extensions.filters.http.compressor.v3.Compressor";
const COMPRESSOR_PER_ROUTE: &str = "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute";
const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";
const RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";
const RBAC_PER_ROUTE: &str = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute";
const RUNTIME: &str = "tandem.filter.runtime.v1.Runtime";
const CORS: &str = "envoy.extensions.filters.http.cors.v3.Cors";
const GRPC_STATS: &str = "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig";
const FILTER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter";
const ROUTE_FILTER: &str = "envoy.config.route.v3.FilterConfig";

/// The filters before the router, and the router, which has to be the last one.
pub(crate) fn chain(cx: &Cx<'_>, protos: &[Proto]) -> Option<(Vec<Arc<HttpFilter>>, Router)> {
    let list = &cx.field("http_filters");
    let Some((last, before)) = protos.split_last() else {
        list.error("expected the router as the last filter, there is none");
        return None;
    };
    let mut filters = Vec::new();
    for (i, proto) in before.iter().enumerate() {
        let cx = &list.index(i);
        filters.extend(listed(cx, proto).map(|config| {
            Arc::new(HttpFilter {
                name: proto.name.as_str().into(),
                disabled: proto.disabled,
                config,
            })
        }));
    }
    let cx = &list.index(before.len());
    let any = typed_config(cx, last)?;
    if value::type_name(any) != ROUTER {
        cx.error(format!(
            "expected the router as the last filter, got '{}'",
            last.name
        ));
        return None;
    }
    if last.disabled {
        cx.field("disabled")
            .error("expected the router to be enabled");
    }
    Some((filters, router::router(&cx.field("typed_config"), any)?))
}

/// Filters that no request meets: CORS does nothing without a policy, and policies of routes are
/// refused; the other one only counts.
fn does_nothing(any: &Any) -> bool {
    matches!(value::type_name(any), CORS | GRPC_STATS)
}

/// A filter before the router; `None` if it was reported, or if no request meets it.
fn listed(cx: &Cx<'_>, proto: &Proto) -> Option<FilterSource> {
    if let Some(ConfigType::ConfigDiscovery(source)) = &proto.config_type {
        let cx = &cx.field("config_discovery");
        let discovery = discovery::discovery(cx, &proto.name, source)?;
        return Some(FilterSource::Discovered(Arc::new(discovery)));
    }
    let any = typed_config(cx, proto)?;
    if value::type_name(any) == ROUTER {
        cx.error("expected the router as the last filter");
        return None;
    }
    if proto.is_optional && is_skipped(FILTER, "typed_config", &proto.name, any) {
        return None;
    }
    if does_nothing(any) {
        return None;
    }
    config(&cx.field("typed_config"), any).map(FilterSource::Inline)
}

/// Whether settings that may be skipped are of a type that is not supported; says so in the log.
fn is_skipped(ty: &str, field: &str, name: &str, any: &Any) -> bool {
    let type_name = value::type_name(any);
    let skipped = !support::takes(ty, field, type_name);
    if skipped {
        tracing::warn!(filter = %name, r#type = %type_name, "an optional filter is not supported, it is skipped");
    }
    skipped
}

/// Settings that came by themselves.
pub(crate) fn extension(cx: &Cx<'_>, proto: &core::TypedExtensionConfig) -> Option<Extension> {
    let Some(any) = &proto.typed_config else {
        cx.error("expected a typed_config");
        return None;
    };
    let of_type = |config| Extension {
        type_name: value::type_name(any).into(),
        config,
    };
    if does_nothing(any) {
        return Some(of_type(None));
    }
    config(&cx.field("typed_config"), any).map(|config| of_type(Some(config)))
}

fn typed_config<'p>(cx: &Cx<'_>, proto: &'p Proto) -> Option<&'p Any> {
    match &proto.config_type {
        Some(ConfigType::TypedConfig(any)) => Some(any),
        Some(ConfigType::ConfigDiscovery(_)) => {
            cx.field("config_discovery")
                .error("is not supported for the last filter, expected the router's typed_config");
            None
        }
        None => {
            cx.error("expected a typed_config or config_discovery");
            None
        }
    }
}

fn config(cx: &Cx<'_>, any: &Any) -> Option<FilterConfig> {
    match value::type_name(any) {
        COMPRESSOR => compressor::compressor(cx, any)
            .map(|compressor| FilterConfig::Compressor(Arc::new(compressor))),
        FAULT => fault::fault(cx, any).map(|fault| FilterConfig::Fault(Arc::new(fault))),
        RBAC => rbac::rbac(cx, any).map(|rbac| FilterConfig::Rbac(Arc::new(rbac))),
        RUNTIME => {
            runtime::runtime(cx, any).map(|runtime| FilterConfig::Runtime(Arc::new(runtime)))
        }
        other => {
            cx.error(format!("filter type '{other}' is not supported"));
            None
        }
    }
}

/// `typed_per_filter_config` of any level, by name.
pub(crate) fn per_route(cx: &Cx<'_>, protos: &HashMap<String, Any>) -> Vec<PerRouteFilter> {
    let map = &cx.field("typed_per_filter_config");
    let sorted: BTreeMap<_, _> = protos.iter().collect();
    let filter = |(name, any): (&String, &Any)| {
        let config = per_route_config(&map.key(name), name, any)?;
        Some(PerRouteFilter {
            name: name.as_str().into(),
            config,
        })
    };
    sorted.into_iter().filter_map(filter).collect()
}

fn per_route_config(cx: &Cx<'_>, name: &str, any: &Any) -> Option<PerRouteConfig> {
    match value::type_name(any) {
        ROUTE_FILTER => {}
        RBAC_PER_ROUTE => {
            return rbac::per_route(cx, any).map(|own| match own {
                Some(own) => PerRouteConfig::Override(FilterConfig::Rbac(Arc::new(own))),
                None => PerRouteConfig::Disabled,
            });
        }
        COMPRESSOR_PER_ROUTE => return compressor::per_route(cx, any),
        FAULT => return config(cx, any).map(PerRouteConfig::Override),
        other => {
            cx.error(format!("type '{other}' is not supported"));
            return None;
        }
    }
    let proto: route::FilterConfig = value::unpack(cx, any)?;
    match &proto.config {
        _ if proto.disabled => Some(PerRouteConfig::Disabled),
        Some(any) if any.type_url.is_empty() => Some(PerRouteConfig::Enabled),
        Some(any) if value::type_name(any) == ROUTE_FILTER => {
            cx.field("config").error("expected a filter's own settings");
            None
        }
        Some(any) if proto.is_optional && is_skipped(ROUTE_FILTER, "config", name, any) => None,
        Some(any) => per_route_config(&cx.field("config"), name, any),
        None => Some(PerRouteConfig::Enabled),
    }
}
