//! How endpoints are found.

use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::{self as v3, cluster as proto};
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use http::HeaderName;
use proto::{ClusterDiscoveryType, DiscoveryType, DnsLookupFamily as Family, LbConfig};
use tandem_model::cluster::{Discovery, Dns, DnsLookupFamily, FailureRefresh, OriginalDst};
use tandem_model::config_source::{ResourceKey, Subscribed};

use crate::address::{self, Beside};
use crate::cx::Cx;
use crate::{config_source, value};

const CARES: &str = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
/// Names the address where `use_http_header` allows that and no other name is given.
const HEADER: HeaderName = HeaderName::from_static("x-envoy-original-dst-host");

pub(super) fn discovery(cx: &Cx<'_>, proto: &v3::Cluster) -> Discovery {
    let kind = match proto.cluster_discovery_type {
        None => DiscoveryType::Static,
        Some(ClusterDiscoveryType::Type(kind)) => {
            DiscoveryType::try_from(kind).unwrap_or(DiscoveryType::Static)
        }
        Some(ClusterDiscoveryType::ClusterType(_)) => {
            cx.error("'cluster_type' is not supported");
            DiscoveryType::Static
        }
    };
    match kind {
        DiscoveryType::StrictDns => Discovery::StrictDns(dns(cx, proto)),
        DiscoveryType::LogicalDns => {
            has_one_endpoint(cx, proto);
            Discovery::LogicalDns(dns(cx, proto))
        }
        DiscoveryType::OriginalDst => Discovery::OriginalDst(original_dst(cx, proto)),
        DiscoveryType::Eds => eds(cx, proto).map_or(Discovery::Static, Discovery::Eds),
        DiscoveryType::Static => Discovery::Static,
    }
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

fn has_one_endpoint(cx: &Cx<'_>, proto: &v3::Cluster) {
    let localities = proto
        .load_assignment
        .as_ref()
        .map_or(&[][..], |assignment| &assignment.endpoints);
    let is_one = matches!(localities, [only] if only.lb_endpoints.len() == 1);
    if !is_one {
        cx.field("load_assignment")
            .error("expected one locality with one endpoint, since the type is LOGICAL_DNS");
    }
}

#[allow(
    deprecated,
    reason = "the DNS settings of a cluster are what everybody writes"
)]
fn dns(cx: &Cx<'_>, proto: &v3::Cluster) -> Dns {
    let default = Dns::default();
    Dns {
        refresh_rate: value::duration(cx, "dns_refresh_rate", proto.dns_refresh_rate.as_ref())
            .unwrap_or(default.refresh_rate),
        failure_refresh_rate: proto
            .dns_failure_refresh_rate
            .as_ref()
            .map(|proto| failure_refresh(&cx.field("dns_failure_refresh_rate"), proto)),
        respect_ttl: proto.respect_dns_ttl,
        jitter: value::duration(cx, "dns_jitter", proto.dns_jitter.as_ref())
            .unwrap_or(default.jitter),
        lookup_family: match proto.dns_lookup_family() {
            Family::Auto => DnsLookupFamily::Auto,
            Family::V4Only => DnsLookupFamily::V4Only,
            Family::V6Only => DnsLookupFamily::V6Only,
            Family::V4Preferred => DnsLookupFamily::V4Preferred,
            Family::All => DnsLookupFamily::All,
        },
        resolvers: resolvers(cx, proto),
    }
}

fn failure_refresh(cx: &Cx<'_>, proto: &proto::RefreshRate) -> FailureRefresh {
    let base = value::duration(cx, "base_interval", proto.base_interval.as_ref());
    let base = base.unwrap_or_default();
    let max = value::duration(cx, "max_interval", proto.max_interval.as_ref());
    if max.is_some_and(|max| max < base) {
        let reason = format!("expected at least the base_interval, {base:?}");
        cx.field("max_interval").error(reason);
    }
    FailureRefresh {
        base,
        max: max.unwrap_or(base * 10),
    }
}

fn resolvers(cx: &Cx<'_>, proto: &v3::Cluster) -> Vec<SocketAddr> {
    let any = proto
        .typed_dns_resolver_config
        .as_ref()
        .and_then(|config| config.typed_config.as_ref());
    let Some(any) = any else { return Vec::new() };
    let cx = &cx.field("typed_dns_resolver_config");
    let cx = &cx.field("typed_config");
    if value::type_name(any) != CARES {
        cx.error(format!("type '{}' is not supported here", any.type_url));
        return Vec::new();
    }
    let Some(config) = value::unpack::<CaresDnsResolverConfig>(cx, any) else {
        return Vec::new();
    };
    let address =
        |cx: &Cx<'_>, proto: &_| address::address(cx, Some(proto), Beside::Nothing)?.socket();
    cx.each("resolvers", &config.resolvers, address)
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
