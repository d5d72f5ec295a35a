//! How names are resolved: the cluster's own fields, or those of a `cluster_type`.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::cluster::v3::{self as v3, cluster as proto};
use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::clusters::common::dns::v3::DnsLookupFamily as TypeFamily;
use envoy_types::pb::envoy::extensions::clusters::dns::v3::DnsCluster;
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use envoy_types::pb::google::protobuf::Duration;
use proto::DnsLookupFamily as Family;
use tandem_model::cluster::{Dns, DnsLookupFamily, FailureRefresh};

use crate::address::{self, Beside};
use crate::cx::Cx;
use crate::value;

const CARES: &str = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";

#[allow(
    deprecated,
    reason = "the DNS settings of a cluster are what everybody writes"
)]
pub(super) fn of_cluster(cx: &Cx<'_>, proto: &v3::Cluster) -> Dns {
    let failure = proto.dns_failure_refresh_rate.as_ref();
    Dns {
        failure_refresh_rate: failure.map(|proto| {
            let (base, max) = (proto.base_interval.as_ref(), proto.max_interval.as_ref());
            failure_refresh(&cx.field("dns_failure_refresh_rate"), base, max)
        }),
        respect_ttl: proto.respect_dns_ttl,
        lookup_family: match proto.dns_lookup_family() {
            Family::Auto => DnsLookupFamily::Auto,
            Family::V4Only => DnsLookupFamily::V4Only,
            Family::V6Only => DnsLookupFamily::V6Only,
            Family::V4Preferred => DnsLookupFamily::V4Preferred,
            Family::All => DnsLookupFamily::All,
        },
        resolvers: resolvers(cx, proto.typed_dns_resolver_config.as_ref()),
        ..intervals(
            cx,
            proto.dns_refresh_rate.as_ref(),
            proto.dns_jitter.as_ref(),
        )
    }
}

/// The cluster's own fields are not looked at beside these.
pub(super) fn of_type(cx: &Cx<'_>, proto: &DnsCluster) -> Dns {
    let failure = proto.dns_failure_refresh_rate.as_ref();
    Dns {
        failure_refresh_rate: failure.map(|proto| {
            let (base, max) = (proto.base_interval.as_ref(), proto.max_interval.as_ref());
            failure_refresh(&cx.field("dns_failure_refresh_rate"), base, max)
        }),
        respect_ttl: proto.respect_dns_ttl,
        lookup_family: match proto.dns_lookup_family() {
            TypeFamily::Unspecified | TypeFamily::Auto => DnsLookupFamily::Auto,
            TypeFamily::V4Only => DnsLookupFamily::V4Only,
            TypeFamily::V6Only => DnsLookupFamily::V6Only,
            TypeFamily::V4Preferred => DnsLookupFamily::V4Preferred,
            TypeFamily::All => DnsLookupFamily::All,
        },
        resolvers: resolvers(cx, proto.typed_dns_resolver_config.as_ref()),
        ..intervals(
            cx,
            proto.dns_refresh_rate.as_ref(),
            proto.dns_jitter.as_ref(),
        )
    }
}

fn intervals(cx: &Cx<'_>, refresh: Option<&Duration>, jitter: Option<&Duration>) -> Dns {
    let default = Dns::default();
    Dns {
        refresh_rate: value::duration(cx, "dns_refresh_rate", refresh)
            .unwrap_or(default.refresh_rate),
        jitter: value::duration(cx, "dns_jitter", jitter).unwrap_or(default.jitter),
        ..default
    }
}

fn failure_refresh(cx: &Cx<'_>, base: Option<&Duration>, max: Option<&Duration>) -> FailureRefresh {
    let base = value::duration(cx, "base_interval", base).unwrap_or_default();
    let max = value::duration(cx, "max_interval", max);
    if max.is_some_and(|max| max < base) {
        let reason = format!("expected at least the base_interval, {base:?}");
        cx.field("max_interval").error(reason);
    }
    FailureRefresh {
        base,
        max: max.unwrap_or(base * 10),
    }
}

fn resolvers(cx: &Cx<'_>, config: Option<&TypedExtensionConfig>) -> Vec<SocketAddr> {
    let any = config.and_then(|config| config.typed_config.as_ref());
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
