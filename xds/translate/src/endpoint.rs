//! Endpoints.

use std::cell::RefCell;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HealthStatus, Locality as LocalityProto, Metadata};
use envoy_types::pb::envoy::config::endpoint::v3 as proto;
use envoy_types::pb::google::protobuf::Value;
use envoy_types::pb::google::protobuf::value::Kind;
use proto::lb_endpoint::HostIdentifier;
use tandem_model::Address;
use tandem_model::bootstrap::Locality;
use tandem_model::cluster::{Endpoint, EndpointHealth, LoadAssignment, LocalityEndpoints};

use crate::address::{self, Beside};
use crate::cx::Cx;
use crate::value;

/// Under which metadata an endpoint says what transport socket it wants.
const MATCH: &str = "envoy.transport_socket_match";

type Criteria = Arc<[(Arc<str>, Arc<str>)]>;

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
    let alike = &RefCell::default();
    LoadAssignment {
        localities: cx.each("endpoints", &proto.endpoints, |cx, proto| {
            if criteria(proto.metadata.as_ref()).next().is_some() {
                cx.field("metadata").error(format!(
                    "'{MATCH}' is not supported here, but in the metadata of endpoints"
                ));
            }
            Some(LocalityEndpoints {
                locality: locality(proto.locality.as_ref()),
                priority: proto.priority,
                weight: proto.load_balancing_weight.map(|weight| weight.value),
                endpoints: cx.each("lb_endpoints", &proto.lb_endpoints, |cx, proto| {
                    endpoint(cx, proto, names, alike)
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

fn endpoint(
    cx: &Cx<'_>,
    proto: &proto::LbEndpoint,
    names: bool,
    alike: &RefCell<Criteria>,
) -> Option<Endpoint> {
    let Some(HostIdentifier::Endpoint(endpoint)) = &proto.host_identifier else {
        cx.error("expected an endpoint");
        return None;
    };
    let in_endpoint = cx.field("endpoint");
    let at = &in_endpoint.field("address");
    let beside = match names {
        true => Beside::Name,
        false => Beside::Pipe,
    };
    let address = address::address(at, endpoint.address.as_ref(), beside)?;
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
        transport_socket_match: transport_socket_match(proto.metadata.as_ref(), alike),
    })
}

/// What an endpoint's metadata says to the matches of its cluster. Endpoints beside each other
/// mostly say the same, and then share it. A value that is no string equals none that a match
/// can ask for.
fn transport_socket_match(metadata: Option<&Metadata>, alike: &RefCell<Criteria>) -> Criteria {
    let mut pairs: Vec<(Arc<str>, Arc<str>)> = criteria(metadata)
        .filter_map(|(key, value)| match &value.kind {
            Some(Kind::StringValue(text)) => Some((key.as_str().into(), text.as_str().into())),
            _ => None,
        })
        .collect();
    pairs.sort_unstable();
    let mut alike = alike.borrow_mut();
    if **alike != *pairs {
        *alike = pairs.into();
    }
    Arc::clone(&alike)
}

fn criteria(metadata: Option<&Metadata>) -> impl Iterator<Item = (&String, &Value)> {
    metadata
        .and_then(|metadata| metadata.filter_metadata.get(MATCH))
        .into_iter()
        .flat_map(|criteria| &criteria.fields)
}

/// A name that is resolved is also the host name, as in Envoy.
fn hostname(configured: &str, address: &Address) -> Arc<str> {
    match address {
        Address::Name { host, .. } if configured.is_empty() => host.clone(),
        // The empty text is one for all.
        _ if configured.is_empty() => Arc::default(),
        _ => configured.into(),
    }
}
