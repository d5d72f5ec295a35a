//! What a route does.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::{self as proto, route, route_action};
use http::StatusCode;
use route_action::ClusterNotFoundResponseCode as NotFound;
use tandem_model::route::{Action, ClusterSpecifier, DirectResponse, RouteAction, WeightedCluster};

use super::{Table, retry, rewrite};
use tandem_model::runtime::RuntimeKey;

use crate::cx::Cx;
use crate::filter::per_route;
use crate::{headers, value};

pub(super) fn action(
    cx: &Cx<'_>,
    proto: Option<&route::Action>,
    table: &Table<'_>,
) -> Option<Action> {
    Some(match proto {
        Some(route::Action::Route(proto)) => {
            Action::Route(Arc::new(forward(&cx.field("route"), proto, table)?))
        }
        Some(route::Action::Redirect(proto)) => {
            Action::Redirect(Arc::new(rewrite::redirect(&cx.field("redirect"), proto)))
        }
        Some(route::Action::DirectResponse(proto)) => Action::DirectResponse(Arc::new(
            direct_response(&cx.field("direct_response"), proto, table)?,
        )),
        Some(route::Action::NonForwardingAction(_)) => Action::NonForwarding,
        _ => {
            cx.error("expected one of route, redirect, direct_response, non_forwarding_action");
            return None;
        }
    })
}

fn direct_response(
    cx: &Cx<'_>,
    proto: &proto::DirectResponseAction,
    table: &Table<'_>,
) -> Option<DirectResponse> {
    let source = proto.body.as_ref();
    let body = source.and_then(|source| value::data(&cx.field("body"), source));
    let body = body.unwrap_or_default();
    if body.len() > table.max_direct_response {
        let max = table.max_direct_response;
        cx.field("body")
            .error(format!("expected at most {max} bytes, got {}", body.len()));
    }
    let status = u16::try_from(proto.status)
        .ok()
        .and_then(|s| StatusCode::from_u16(s).ok());
    if status.is_none() {
        cx.field("status")
            .error(format!("expected an HTTP status, got {}", proto.status));
    }
    Some(DirectResponse {
        status: status?,
        body,
    })
}

#[allow(deprecated, reason = "Envoy still takes `max_grpc_timeout`")]
fn forward(cx: &Cx<'_>, proto: &proto::RouteAction, table: &Table<'_>) -> Option<RouteAction> {
    let cluster = cluster(cx, proto.cluster_specifier.as_ref(), table);
    let duration = |field, value| value::duration(cx, field, value);
    let stream = proto.max_stream_duration.as_ref();
    let stream_cx = cx.field("max_stream_duration");
    let in_stream = |field, value| value::duration(&stream_cx, field, value);
    let grpc_max = stream.and_then(|s| s.grpc_timeout_header_max.as_ref());
    let grpc_offset = stream.and_then(|s| s.grpc_timeout_header_offset.as_ref());
    // The older limits, which Envoy does not look at where the newer message is.
    let preset = Some(Duration::from_secs(15));
    let timeout = value::limit(cx, "timeout", proto.timeout.as_ref(), preset);
    let max_grpc_timeout = duration("max_grpc_timeout", proto.max_grpc_timeout.as_ref());
    let grpc_timeout_offset = duration("grpc_timeout_offset", proto.grpc_timeout_offset.as_ref());
    let retry = proto.retry_policy.as_ref();
    let action = RouteAction {
        cluster: cluster?,
        cluster_not_found_response_code: match proto.cluster_not_found_response_code() {
            NotFound::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            NotFound::NotFound => StatusCode::NOT_FOUND,
            NotFound::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
        },
        path_rewrite: rewrite::path(cx, proto),
        host_rewrite: rewrite::host(cx, proto),
        append_x_forwarded_host: proto.append_x_forwarded_host,
        timeout: timeout.filter(|_| stream.is_none()),
        max_grpc_timeout: max_grpc_timeout.filter(|_| stream.is_none()),
        grpc_timeout_offset: grpc_timeout_offset.filter(|_| stream.is_none()),
        idle_timeout: duration("idle_timeout", proto.idle_timeout.as_ref()),
        max_stream_duration: in_stream(
            "max_stream_duration",
            stream.and_then(|s| s.max_stream_duration.as_ref()),
        ),
        grpc_timeout_header_max: in_stream("grpc_timeout_header_max", grpc_max),
        grpc_timeout_header_offset: in_stream("grpc_timeout_header_offset", grpc_offset),
        retry_policy: retry.map(|proto| Arc::new(retry::policy(&cx.field("retry_policy"), proto))),
        high_priority: proto.priority != 0,
        upgrades: crate::hcm::upgrades(
            cx,
            proto
                .upgrade_configs
                .iter()
                .map(|u| (u.upgrade_type.as_str(), u.enabled.as_ref())),
        ),
    };
    Some(action)
}

fn cluster(
    cx: &Cx<'_>,
    proto: Option<&route_action::ClusterSpecifier>,
    table: &Table<'_>,
) -> Option<ClusterSpecifier> {
    use route_action::ClusterSpecifier as Proto;
    match proto {
        Some(Proto::Cluster(name)) => {
            table.check_cluster(&cx.field("cluster"), name);
            Some(ClusterSpecifier::Cluster(name.as_str().into()))
        }
        Some(Proto::ClusterHeader(name)) => {
            value::header_name(&cx.field("cluster_header"), name).map(ClusterSpecifier::Header)
        }
        Some(Proto::WeightedClusters(proto)) => {
            weighted(&cx.field("weighted_clusters"), proto, table)
        }
        _ => {
            cx.error("expected one of cluster, cluster_header, weighted_clusters");
            None
        }
    }
}

fn weighted(
    cx: &Cx<'_>,
    proto: &proto::WeightedCluster,
    table: &Table<'_>,
) -> Option<ClusterSpecifier> {
    let prefix = value::text(&proto.runtime_key_prefix);
    let clusters = cx.each("clusters", &proto.clusters, |cx, proto| {
        member(cx, proto, table, &prefix)
    });
    let sum: u64 = clusters
        .iter()
        .map(|cluster| u64::from(cluster.weight))
        .sum();
    match u32::try_from(sum) {
        // a wrong member has been reported, and has no weight here
        Ok(0) if clusters.len() < proto.clusters.len() => None,
        Ok(0) => {
            cx.field("clusters")
                .error("expected weights with a sum greater than 0");
            None
        }
        Ok(total) => Some(ClusterSpecifier::Weighted { clusters, total }),
        Err(_) => {
            cx.field("clusters")
                .error(format!("expected weights with a sum up to {}", u32::MAX));
            None
        }
    }
}

fn member(
    cx: &Cx<'_>,
    proto: &proto::weighted_cluster::ClusterWeight,
    table: &Table<'_>,
    prefix: &Option<Arc<str>>,
) -> Option<WeightedCluster> {
    use proto::weighted_cluster::cluster_weight::HostRewriteSpecifier;
    let cluster_header = match (proto.name.as_str(), proto.cluster_header.as_str()) {
        ("", "") => {
            cx.error("expected one of name, cluster_header");
            return None;
        }
        ("", header) => Some(value::header_name(&cx.field("cluster_header"), header)?),
        (name, "") => {
            table.check_cluster(&cx.field("name"), name);
            None
        }
        _ => {
            cx.error("expected either name or cluster_header");
            return None;
        }
    };
    let Some(weight) = &proto.weight else {
        cx.error("expected a weight");
        return None;
    };
    let host = proto.host_rewrite_specifier.as_ref().and_then(|specifier| {
        let HostRewriteSpecifier::HostRewriteLiteral(text) = specifier;
        value::text(text)
            .and_then(|text| value::header_value(&cx.field("host_rewrite_literal"), &text))
    });
    Some(WeightedCluster {
        name: proto.name.as_str().into(),
        cluster_header,
        weight: weight.value,
        weight_key: prefix
            .as_ref()
            .map(|prefix| RuntimeKey::named(&format!("{prefix}.{}", proto.name))),
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
        host_rewrite: host,
        filters: per_route(cx, &proto.typed_per_filter_config),
    })
}
