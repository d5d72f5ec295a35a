//! How endpoints are found.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::{self as v3, cluster as proto};
use envoy_types::pb::envoy::extensions::clusters::dns::v3::DnsCluster;
use http::HeaderName;
use proto::{ClusterDiscoveryType, DiscoveryType, LbConfig};
use tandem_model::cluster::{Discovery, OriginalDst};
use tandem_model::config_source::{ResourceKey, Subscribed};

use super::dns;
use crate::cx::Cx;
use crate::{config_source, value};

/// The settings of a `cluster_type` that resolves names.
const DNS: &str = "envoy.extensions.clusters.dns.v3.DnsCluster";
/// Names the address where `use_http_header` allows that and no other name is given.
const HEADER: HeaderName = HeaderName::from_static("x-envoy-original-dst-host");

pub(super) fn discovery(cx: &Cx<'_>, proto: &v3::Cluster) -> Discovery {
    let kind = match &proto.cluster_discovery_type {
        None => DiscoveryType::Static,
        Some(ClusterDiscoveryType::Type(kind)) => {
            DiscoveryType::try_from(*kind).unwrap_or(DiscoveryType::Static)
        }
        Some(ClusterDiscoveryType::ClusterType(custom)) => match of_type(cx, proto, custom) {
            Type::Known(kind) => kind,
            Type::Found(discovery) => return discovery,
        },
    };
    match kind {
        DiscoveryType::StrictDns => Discovery::StrictDns(dns::of_cluster(cx, proto)),
        DiscoveryType::LogicalDns => {
            has_one_endpoint(cx, proto, "the type is LOGICAL_DNS");
            Discovery::LogicalDns(dns::of_cluster(cx, proto))
        }
        DiscoveryType::OriginalDst => Discovery::OriginalDst(original_dst(cx, proto)),
        DiscoveryType::Eds => eds(cx, proto).map_or(Discovery::Static, Discovery::Eds),
        DiscoveryType::Static => Discovery::Static,
    }
}

/// What a `cluster_type` is: one of the types that have a number too, or all that is to be known.
enum Type {
    Known(DiscoveryType),
    Found(Discovery),
}

/// The type of the settings decides; where there are none, the name.
fn of_type(cx: &Cx<'_>, cluster: &v3::Cluster, proto: &proto::CustomClusterType) -> Type {
    let at = &cx.field("cluster_type");
    let Some(any) = proto.typed_config.as_ref() else {
        return by_name(cx, &at.field("name"), cluster, &proto.name);
    };
    let at = &at.field("typed_config");
    // Others have been refused by their type.
    let config = Some(any).filter(|any| value::type_name(any) == DNS);
    match config.and_then(|any| value::unpack::<DnsCluster>(at, any)) {
        Some(config) => Type::Found(names(cx, at, cluster, &config)),
        None => Type::Known(DiscoveryType::Static),
    }
}

fn names(cx: &Cx<'_>, at: &Cx<'_>, cluster: &v3::Cluster, config: &DnsCluster) -> Discovery {
    let dns = dns::of_type(at, config);
    if !config.all_addresses_in_single_endpoint {
        return Discovery::StrictDns(dns);
    }
    has_one_endpoint(cx, cluster, "all_addresses_in_single_endpoint is set");
    Discovery::LogicalDns(dns)
}

fn by_name(cx: &Cx<'_>, at: &Cx<'_>, cluster: &v3::Cluster, name: &str) -> Type {
    Type::Known(match name {
        "envoy.cluster.static" => DiscoveryType::Static,
        "envoy.cluster.strict_dns" => DiscoveryType::StrictDns,
        "envoy.cluster.logical_dns" => DiscoveryType::LogicalDns,
        "envoy.cluster.eds" => DiscoveryType::Eds,
        "envoy.cluster.original_dst" => DiscoveryType::OriginalDst,
        "envoy.cluster.dns" => {
            return Type::Found(names(cx, at, cluster, &DnsCluster::default()));
        }
        name => {
            at.error(format!("'{name}' is not supported"));
            DiscoveryType::Static
        }
    })
}

fn eds(cx: &Cx<'_>, proto: &v3::Cluster) -> Option<Subscribed> {
    let cx = &cx.field("eds_cluster_config");
    let Some(config) = &proto.eds_cluster_config else {
        cx.error("expected eds_cluster_config, which type EDS needs");
        return None;
    };
    let source = config_source::source(&cx.field("eds_config"), config.eds_config.as_ref())?;
    let name = value::text(&config.service_name);
    Some(Subscribed {
        key: ResourceKey {
            origin: source.origin,
            name: name.unwrap_or_else(|| proto.name.as_str().into()),
        },
        initial_fetch_timeout: source.initial_fetch_timeout,
    })
}

fn has_one_endpoint(cx: &Cx<'_>, proto: &v3::Cluster, since: &str) {
    let localities = proto
        .load_assignment
        .as_ref()
        .map_or(&[][..], |assignment| &assignment.endpoints);
    let is_one = matches!(localities, [only] if only.lb_endpoints.len() == 1);
    if !is_one {
        let reason = format!("expected one locality with one endpoint, since {since}");
        cx.field("load_assignment").error(reason);
    }
}

fn original_dst(cx: &Cx<'_>, proto: &v3::Cluster) -> OriginalDst {
    if proto.load_assignment.is_some() {
        cx.field("load_assignment")
            .error("expected none, since the type is ORIGINAL_DST");
    }
    let mut settings = OriginalDst {
        cleanup_interval: value::duration(cx, "cleanup_interval", proto.cleanup_interval.as_ref())
            .unwrap_or(Duration::from_secs(5)),
        ..OriginalDst::default()
    };
    if let Some(LbConfig::OriginalDstLbConfig(config)) = &proto.lb_config {
        let cx = &cx.field("original_dst_lb_config");
        settings.http_header = header(cx, config);
        settings.port_override = config
            .upstream_port_override
            .as_ref()
            .and_then(|port| value::port(&cx.field("upstream_port_override"), port.value));
    }
    settings
}

fn header(cx: &Cx<'_>, config: &proto::OriginalDstLbConfig) -> Option<HeaderName> {
    let at = &cx.field("http_header_name");
    match (config.use_http_header, config.http_header_name.as_str()) {
        (false, "") => None,
        (true, "") => Some(HEADER),
        (true, name) => value::header_name(at, name),
        (false, _) => {
            at.error("expected none, since use_http_header is not set");
            None
        }
    }
}
