//! Route tables.

mod action;
mod matching;
mod retry;
mod rewrite;

use std::collections::HashSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3 as proto;
use proto::virtual_host::TlsRequirementType;
use tandem_model::config_source::{ApiType, Origin};
use tandem_model::route::{RequireTls, Route, RouteConfiguration, Vhds, VirtualHost};

use crate::cx::Cx;
use crate::filter::per_route;
use crate::{config_source, headers, value};

/// What a route table is checked against.
pub(crate) struct Scope<'a> {
    /// Whether a cluster exists.
    pub(crate) clusters: &'a Known<'a>,
}

/// Says of a name whether there is something of that name.
pub(crate) type Known<'a> = dyn Fn(&str) -> bool + 'a;

/// What holds for all routes of a table.
struct Table<'a> {
    /// `None`: routes may name clusters that do not exist yet.
    clusters: Option<&'a Known<'a>>,
    max_direct_response: usize,
}

impl Table<'_> {
    fn check_cluster(&self, cx: &Cx<'_>, name: &str) {
        if self.clusters.is_some_and(|known| !known(name)) {
            cx.error(format!("expected a cluster that exists, got '{name}'"));
        }
    }
}

/// Translates a route table that came with its connection manager.
pub(crate) fn configuration(
    cx: &Cx<'_>,
    proto: &proto::RouteConfiguration,
    scope: &Scope<'_>,
) -> RouteConfiguration {
    refuse_vhds(cx, proto);
    table(cx, proto, scope, true)
}

/// Translates a route table that came by itself: its clusters may come later.
pub(crate) fn alone(
    cx: &Cx<'_>,
    proto: &proto::RouteConfiguration,
    scope: &Scope<'_>,
) -> RouteConfiguration {
    table(cx, proto, scope, false)
}

/// Translates a route table within a scope that came by itself.
pub(crate) fn in_scope(
    cx: &Cx<'_>,
    proto: &proto::RouteConfiguration,
    scope: &Scope<'_>,
) -> RouteConfiguration {
    refuse_vhds(cx, proto);
    table(cx, proto, scope, false)
}

/// Only who asks for a route table by its name can ask for its virtual hosts.
fn refuse_vhds(cx: &Cx<'_>, proto: &proto::RouteConfiguration) {
    if proto.vhds.is_some() {
        cx.field("vhds")
            .error("expected it in a route configuration that comes over RDS");
    }
}

/// Translates a virtual host that came by itself.
pub(crate) fn host(
    cx: &Cx<'_>,
    proto: &proto::VirtualHost,
    vhds: Option<&Vhds>,
    scope: &Scope<'_>,
) -> Arc<VirtualHost> {
    let validate = vhds.is_some_and(|vhds| vhds.validate_clusters);
    let table = Table {
        clusters: validate.then_some(scope.clusters),
        max_direct_response: vhds.map_or(usize::MAX, |vhds| vhds.max_direct_response),
    };
    Arc::new(virtual_host(cx, proto, &table))
}

fn vhds(cx: &Cx<'_>, proto: &proto::Vhds, table: &Table<'_>) -> Option<Vhds> {
    let cx = &cx.field("config_source");
    let source = config_source::source(cx, proto.config_source.as_ref())?;
    let is_delta = match &source.origin {
        Origin::Ads => true,
        Origin::Api(api) => api.api == ApiType::DeltaGrpc,
        Origin::Path(_) => false,
    };
    if !is_delta {
        cx.error("expected an api_type of DELTA_GRPC, or ads");
        return None;
    }
    Some(Vhds {
        source,
        validate_clusters: table.clusters.is_some(),
        max_direct_response: table.max_direct_response,
    })
}

fn table(
    cx: &Cx<'_>,
    proto: &proto::RouteConfiguration,
    scope: &Scope<'_>,
    validate: bool,
) -> RouteConfiguration {
    let validate = value::bool_or(proto.validate_clusters.as_ref(), validate);
    let max = value::u32_or(proto.max_direct_response_body_size_bytes.as_ref(), 4096);
    let table = Table {
        clusters: validate.then_some(scope.clusters),
        max_direct_response: max as usize,
    };
    duplicate_domains(cx, proto);
    RouteConfiguration {
        name: proto.name.as_str().into(),
        virtual_hosts: cx.each("virtual_hosts", &proto.virtual_hosts, |cx, proto| {
            Some(Arc::new(virtual_host(cx, proto, &table)))
        }),
        request_headers: headers::request(
            cx,
            &proto.request_headers_to_add,
            &proto.request_headers_to_remove,
        ),
        response_headers: headers::response(
            cx,
            &proto.response_headers_to_add,
            &proto.response_headers_to_remove,
        ),
        most_specific_header_mutations_wins: proto.most_specific_header_mutations_wins,
        internal_only_headers: cx.each(
            "internal_only_headers",
            &proto.internal_only_headers,
            |cx, name| value::header_name(cx, name),
        ),
        ignore_port_in_host_matching: proto.ignore_port_in_host_matching,
        ignore_path_parameters: proto.ignore_path_parameters_in_path_matching,
        filters: per_route(cx, &proto.typed_per_filter_config),
        vhds: (proto.vhds.as_ref()).and_then(|proto| vhds(&cx.field("vhds"), proto, &table)),
    }
}

fn duplicate_domains(cx: &Cx<'_>, proto: &proto::RouteConfiguration) {
    let mut seen = HashSet::new();
    let hosts = &cx.field("virtual_hosts");
    for (i, host) in proto.virtual_hosts.iter().enumerate() {
        let (host_cx, field) = (hosts.index(i), "domains");
        let domains = host_cx.field(field);
        for (j, domain) in host.domains.iter().enumerate() {
            if !seen.insert(domain.to_ascii_lowercase()) {
                domains
                    .index(j)
                    .error(format!("expected every domain once, got '{domain}' again"));
            }
        }
    }
}

#[allow(
    deprecated,
    reason = "`per_request_buffer_limit_bytes` is what everybody writes"
)]
fn virtual_host(cx: &Cx<'_>, proto: &proto::VirtualHost, table: &Table<'_>) -> VirtualHost {
    let retry = proto.retry_policy.as_ref();
    let lower = |domain: &String| domain.to_ascii_lowercase().into();
    VirtualHost {
        name: proto.name.as_str().into(),
        domains: proto.domains.iter().map(lower).collect(),
        routes: cx.each("routes", &proto.routes, |cx, proto| {
            route(cx, proto, table).map(Arc::new)
        }),
        require_tls: match proto.require_tls() {
            TlsRequirementType::None => RequireTls::None,
            TlsRequirementType::ExternalOnly => RequireTls::ExternalOnly,
            TlsRequirementType::All => RequireTls::All,
        },
        request_headers: headers::request(
            cx,
            &proto.request_headers_to_add,
            &proto.request_headers_to_remove,
        ),
        response_headers: headers::response(
            cx,
            &proto.response_headers_to_add,
            &proto.response_headers_to_remove,
        ),
        retry_policy: retry.map(|proto| Arc::new(retry::policy(&cx.field("retry_policy"), proto))),
        include_request_attempt_count: proto.include_request_attempt_count,
        include_attempt_count_in_response: proto.include_attempt_count_in_response,
        per_request_buffer_limit_bytes: proto
            .per_request_buffer_limit_bytes
            .map(|value| value.value.into()),
        filters: per_route(cx, &proto.typed_per_filter_config),
    }
}

#[allow(
    deprecated,
    reason = "`per_request_buffer_limit_bytes` is what everybody writes"
)]
fn route(cx: &Cx<'_>, proto: &proto::Route, table: &Table<'_>) -> Option<Route> {
    let matches = proto
        .r#match
        .as_ref()
        .and_then(|proto| matching::route_match(&cx.field("match"), proto));
    let action = action::action(cx, proto.action.as_ref(), table);
    let request_headers = headers::request(
        cx,
        &proto.request_headers_to_add,
        &proto.request_headers_to_remove,
    );
    let response_headers = headers::response(
        cx,
        &proto.response_headers_to_add,
        &proto.response_headers_to_remove,
    );
    let filters = per_route(cx, &proto.typed_per_filter_config);
    Some(Route {
        name: proto.name.as_str().into(),
        matches: matches?,
        action: action?,
        request_headers,
        response_headers,
        per_request_buffer_limit_bytes: proto
            .per_request_buffer_limit_bytes
            .map(|value| value.value.into()),
        filters,
    })
}
