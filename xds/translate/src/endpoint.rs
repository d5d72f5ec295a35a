//! Endpoints.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HealthStatus, Locality as LocalityProto, Metadata};
use envoy_types::pb::envoy::config::endpoint::v3 as proto;
use envoy_types::pb::google::protobuf::{Value, value::Kind};
use proto::lb_endpoint::HostIdentifier;
use tandem_model::Address;
use tandem_model::bootstrap::Locality;
use tandem_model::cluster::{Endpoint, EndpointHealth, LoadAssignment, LocalityEndpoints};

use crate::cx::Cx;
use crate::{address, value};

/// Translates an assignment; `names` says whether the cluster resolves host names.
pub(crate) fn load_assignment(
    cx: &Cx<'_>,
    proto: &proto::ClusterLoadAssignment,
    names: bool,
) -> LoadAssignment {
    let factor = proto
        .policy
        .as_ref()
        .and_then(|p| p.overprovisioning_factor.as_ref());
    LoadAssignment {
        localities: cx.each("endpoints", &proto.endpoints, |cx, proto| {
            Some(LocalityEndpoints {
                locality: locality(proto.locality.as_ref()),
                priority: proto.priority,
                weight: proto.load_balancing_weight.map(|weight| weight.value),
                endpoints: cx.each("lb_endpoints", &proto.lb_endpoints, |cx, proto| {
                    endpoint(cx, proto, names)
                }),
            })
        }),
        overprovisioning_factor: value::u32_or(factor, 140),
    }
}

pub(crate) fn locality(proto: Option<&LocalityProto>) -> Locality {
    proto.map_or_else(Locality::default, |proto| Locality {
        region: proto.region.as_str().into(),
        zone: proto.zone.as_str().into(),
        sub_zone: proto.sub_zone.as_str().into(),
    })
}

fn endpoint(cx: &Cx<'_>, proto: &proto::LbEndpoint, names: bool) -> Option<Endpoint> {
    let Some(HostIdentifier::Endpoint(endpoint)) = &proto.host_identifier else {
        cx.error("expected an endpoint");
        return None;
    };
    let in_endpoint = cx.field("endpoint");
    let at = &in_endpoint.field("address");
    let address = match names {
        true => address::address_or_name(at, endpoint.address.as_ref())?,
        false => address::address(at, endpoint.address.as_ref())?,
    };
    Some(Endpoint {
        hostname: hostname(&endpoint.hostname, &address),
        address,
        weight: value::u32_or(proto.load_balancing_weight.as_ref(), 1),
        health: match proto.health_status() {
            HealthStatus::Unknown | HealthStatus::Healthy => EndpointHealth::Healthy,
            HealthStatus::Unhealthy | HealthStatus::Timeout => EndpointHealth::Unhealthy,
            HealthStatus::Degraded => EndpointHealth::Degraded,
            HealthStatus::Draining => EndpointHealth::Draining,
        },
        transport_socket_match: transport_socket_match(proto.metadata.as_ref()),
    })
}

/// The strings of the endpoint's metadata by which its transport socket is chosen.
fn transport_socket_match(metadata: Option<&Metadata>) -> Arc<[(Arc<str>, Arc<str>)]> {
    let found = metadata.and_then(|m| m.filter_metadata.get("envoy.transport_socket_match"));
    let fields = found.iter().flat_map(|found| &found.fields);
    let text = |(key, value): (&String, &Value)| match &value.kind {
        Some(Kind::StringValue(text)) => Some((key.as_str().into(), text.as_str().into())),
        _ => None,
    };
    let mut all: Vec<(Arc<str>, Arc<str>)> = fields.filter_map(text).collect();
    all.sort();
    all.into()
}

/// A name that is resolved is also the host name, as in Envoy.
fn hostname(configured: &str, address: &Address) -> Arc<str> {
    match address {
        Address::Name { host, .. } if configured.is_empty() => host.clone(),
        _ => configured.into(),
    }
}
