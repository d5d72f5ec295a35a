//! Clusters.

mod breaker;
mod http;
mod outlier;

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::{self as v3, cluster as proto};
use envoy_types::pb::google::protobuf::value::Kind;
use tandem_model::Cluster;
use tandem_model::cluster::{
    Discovery, Dns, DnsLookupFamily, LbPolicy, TcpKeepalive, TransportSocketMatch, UpstreamProtocol,
};
use tandem_model::tls::UpstreamTransport;

use crate::cx::Cx;
use crate::{endpoint, tls, value};

#[allow(
    deprecated,
    reason = "the DNS settings of a cluster are what everybody writes"
)]
pub(crate) fn cluster(cx: &Cx<'_>, proto: &v3::Cluster) -> Cluster {
    let discovery = discovery(cx, proto);
    let names = discovery.dns().is_some();
    let assignment = proto.load_assignment.as_ref();
    let common = proto.common_lb_config.as_ref();
    let keepalive = proto.upstream_connection_options.as_ref();
    let [circuit_breakers, circuit_breakers_high] = breaker::thresholds(
        &cx.field("circuit_breakers"),
        proto.circuit_breakers.as_ref(),
    );
    let cluster = Cluster {
        name: proto.name.as_str().into(),
        stat_name: value::text(&proto.alt_stat_name).unwrap_or_else(|| proto.name.as_str().into()),
        discovery,
        load_assignment: assignment.map_or_else(
            || tandem_model::cluster::LoadAssignment {
                overprovisioning_factor: 140,
                ..Default::default()
            },
            |proto| endpoint::load_assignment(&cx.field("load_assignment"), proto, names),
        ),
        connect_timeout: value::duration(cx, "connect_timeout", proto.connect_timeout.as_ref())
            .unwrap_or(Duration::from_secs(5)),
        lb_policy: lb_policy(cx, proto),
        locality_weighted: false,
        healthy_panic_threshold: value::percent(
            common.and_then(|common| common.healthy_panic_threshold.as_ref()),
            50.0,
        ),
        circuit_breakers,
        circuit_breakers_high,
        outlier_detection: proto
            .outlier_detection
            .as_ref()
            .map(|proto| outlier::detection(&cx.field("outlier_detection"), proto)),
        http: http::upstream(cx, proto),
        per_connection_buffer_limit_bytes: value::u32_or(
            proto.per_connection_buffer_limit_bytes.as_ref(),
            1024 * 1024,
        ),
        tcp_keepalive: keepalive
            .and_then(|options| options.tcp_keepalive.as_ref())
            .map(|proto| {
                let seconds = |value: u32| Duration::from_secs(value.into());
                TcpKeepalive {
                    probes: proto.keepalive_probes.map(|v| v.value),
                    time: proto.keepalive_time.map(|v| seconds(v.value)),
                    interval: proto.keepalive_interval.map(|v| seconds(v.value)),
                }
            }),
        transport_socket: tls::upstream(
            &cx.field("transport_socket"),
            proto.transport_socket.as_ref(),
        ),
        transport_socket_matches: cx.each(
            "transport_socket_matches",
            &proto.transport_socket_matches,
            transport_socket_match,
        ),
        bind: None,
        close_connections_on_host_health_failure: false,
    };
    let mut transports = cluster.transports();
    if cluster.http.protocol == UpstreamProtocol::Auto
        && transports.any(|transport| *transport == UpstreamTransport::Raw)
    {
        cx.field("transport_socket")
            .error("expected TLS: with auto_config the endpoint chooses the protocol by ALPN");
    }
    drop(transports);
    cluster
}

fn transport_socket_match(
    cx: &Cx<'_>,
    proto: &proto::TransportSocketMatch,
) -> Option<TransportSocketMatch> {
    let criteria = proto.r#match.iter().flat_map(|criteria| &criteria.fields);
    let mut all = Vec::new();
    for (key, value) in criteria {
        match &value.kind {
            Some(Kind::StringValue(text)) => all.push((key.as_str().into(), text.as_str().into())),
            _ => {
                cx.field("match").key(key).error("expected a string");
                return None;
            }
        }
    }
    all.sort();
    Some(TransportSocketMatch {
        name: proto.name.as_str().into(),
        criteria: all,
        transport: tls::upstream(
            &cx.field("transport_socket"),
            proto.transport_socket.as_ref(),
        ),
    })
}

#[allow(
    deprecated,
    reason = "the DNS settings of a cluster are what everybody writes"
)]
fn discovery(cx: &Cx<'_>, proto: &v3::Cluster) -> Discovery {
    use proto::{ClusterDiscoveryType, DiscoveryType, DnsLookupFamily as Family};
    let strict = match proto.cluster_discovery_type {
        None => false,
        Some(ClusterDiscoveryType::Type(ty)) => ty == DiscoveryType::StrictDns as i32,
        Some(ClusterDiscoveryType::ClusterType(_)) => {
            cx.error("'cluster_type' is not supported");
            false
        }
    };
    if !strict {
        return Discovery::Static;
    }
    Discovery::StrictDns(Dns {
        refresh_rate: value::duration(cx, "dns_refresh_rate", proto.dns_refresh_rate.as_ref())
            .unwrap_or(Duration::from_secs(5)),
        respect_ttl: proto.respect_dns_ttl,
        lookup_family: match proto.dns_lookup_family() {
            Family::Auto => DnsLookupFamily::Auto,
            Family::V4Only => DnsLookupFamily::V4Only,
            Family::V6Only => DnsLookupFamily::V6Only,
            Family::V4Preferred => DnsLookupFamily::V4Preferred,
            Family::All => DnsLookupFamily::All,
        },
        ..Dns::default()
    })
}

fn lb_policy(cx: &Cx<'_>, proto: &v3::Cluster) -> LbPolicy {
    use proto::{LbConfig, LbPolicy as Proto};
    match proto.lb_policy() {
        Proto::RoundRobin => LbPolicy::RoundRobin,
        Proto::Random => LbPolicy::Random,
        Proto::LeastRequest => {
            let choices = match &proto.lb_config {
                Some(LbConfig::LeastRequestLbConfig(config)) => config.choice_count.as_ref(),
                _ => None,
            };
            LbPolicy::LeastRequest {
                choice_count: value::u32_or(choices, 2),
            }
        }
        other => {
            cx.field("lb_policy")
                .error(format!("'{}' is not supported", other.as_str_name()));
            LbPolicy::RoundRobin
        }
    }
}
