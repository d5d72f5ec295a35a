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
use tandem_model::cluster::{
    Endpoint, EndpointHealth, Label, LabelValue, Labels, LoadAssignment, LocalityEndpoints, Number,
};

use crate::address::{self, Beside};
use crate::cx::Cx;
use crate::value;

/// Under which metadata an endpoint says what transport socket it wants.
const MATCH: &str = "envoy.transport_socket_match";

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
            let of_locality = &labels(proto.metadata.as_ref());
            Some(LocalityEndpoints {
                locality: locality(proto.locality.as_ref()),
                priority: proto.priority,
                weight: proto.load_balancing_weight.map(|weight| weight.value),
                endpoints: cx.each("lb_endpoints", &proto.lb_endpoints, |cx, proto| {
                    endpoint(cx, proto, names, of_locality, alike)
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
    of_locality: &[Label],
    alike: &RefCell<Arc<Labels>>,
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
        labels: shared(labels(proto.metadata.as_ref()), of_locality, alike),
    })
}

/// What both say together. Endpoints beside each other mostly say the same, and then share it.
fn shared(own: Vec<Label>, of_locality: &[Label], alike: &RefCell<Arc<Labels>>) -> Arc<Labels> {
    let mut alike = alike.borrow_mut();
    if alike.endpoint != own || alike.locality != of_locality {
        *alike = Arc::new(Labels {
            endpoint: own,
            locality: of_locality.to_vec(),
        });
    }
    Arc::clone(&alike)
}

/// What metadata says to the matches of a cluster; of a value that is none, nothing is said.
fn labels(metadata: Option<&Metadata>) -> Vec<Label> {
    let labels = metadata.and_then(|metadata| metadata.filter_metadata.get(MATCH));
    let fields = labels.into_iter().flat_map(|labels| &labels.fields);
    let said = fields.filter_map(|(name, value)| Some((name.as_str().into(), label(value)?)));
    sorted(said.collect())
}

fn sorted(mut labels: Vec<Label>) -> Vec<Label> {
    labels.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    labels
}

/// A value that can be compared, if it is one.
pub(crate) fn label(value: &Value) -> Option<LabelValue> {
    Some(match value.kind.as_ref()? {
        Kind::NullValue(_) => LabelValue::Null,
        Kind::BoolValue(truth) => LabelValue::Bool(*truth),
        Kind::NumberValue(number) => LabelValue::Number(Number::from_f64(*number)?),
        Kind::StringValue(text) => text.as_str().into(),
        Kind::ListValue(list) => {
            LabelValue::List(list.values.iter().map(label).collect::<Option<_>>()?)
        }
        Kind::StructValue(fields) => {
            let all = fields.fields.iter();
            let all = all.map(|(name, value)| Some((name.as_str().into(), label(value)?)));
            LabelValue::Struct(sorted(all.collect::<Option<_>>()?))
        }
    })
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
