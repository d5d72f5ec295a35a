//! Clusters.

mod bind;
mod breaker;
mod discovery;
mod dns;
mod http;
mod outlier;
mod policy;

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::{self as v3, cluster as proto};
use tandem_model::Cluster;
use tandem_model::cluster::{Label, TcpKeepalive, TransportSocketMatch, UpstreamProtocol};
use tandem_model::tls::UpstreamTransport;

use crate::cx::Cx;
use crate::{endpoint, tls, value};

pub(crate) fn cluster(cx: &Cx<'_>, proto: &v3::Cluster) -> Cluster {
    let discovery = discovery::discovery(cx, proto);
    let names = discovery.dns().is_some();
    let assignment = proto.load_assignment.as_ref();
    let common = proto.common_lb_config.as_ref();
    let keepalive = proto.upstream_connection_options.as_ref();
    let (lb_policy, locality_weighted) = policy::policy(cx, proto, &discovery);
    let [circuit_breakers, circuit_breakers_high] = breaker::thresholds(
        &cx.field("circuit_breakers"),
        proto.circuit_breakers.as_ref(),
    );
    let cluster = Cluster {
        name: proto.name.as_str().into(),
        stat_name: value::text(&proto.alt_stat_name).unwrap_or_else(|| proto.name.as_str().into()),
        load_assignment: assignment.map_or_else(
            || tandem_model::cluster::LoadAssignment {
                overprovisioning_factor: 140,
                ..Default::default()
            },
            |proto| endpoint::load_assignment(&cx.field("load_assignment"), proto, names),
        ),
        connect_timeout: value::duration(cx, "connect_timeout", proto.connect_timeout.as_ref())
            .unwrap_or(Duration::from_secs(5)),
        lb_policy,
        locality_weighted,
        discovery,
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
        bind: proto
            .upstream_bind_config
            .as_ref()
            .map(|proto| Arc::new(bind::bind(&cx.field("upstream_bind_config"), proto))),
        transport_socket: tls::upstream(
            &cx.field("transport_socket"),
            proto.transport_socket.as_ref(),
        ),
        transport_socket_matches: cx.each(
            "transport_socket_matches",
            &proto.transport_socket_matches,
            transport_socket_match,
        ),
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
        match endpoint::label(value) {
            Some(value) => all.push((key.as_str().into(), value)),
            None => {
                cx.field("match").key(key).error("expected a value");
                return None;
            }
        }
    }
    all.sort_unstable_by(|a: &Label, b| a.0.cmp(&b.0));
    Some(TransportSocketMatch {
        name: proto.name.as_str().into(),
        criteria: all,
        transport: tls::upstream(
            &cx.field("transport_socket"),
            proto.transport_socket.as_ref(),
        ),
    })
}
