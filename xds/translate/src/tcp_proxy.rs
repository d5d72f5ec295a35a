//! The TCP proxy.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy as Proto, tcp_proxy::ClusterSpecifier,
};
use tandem_model::tcp_proxy::{TcpCluster, TcpProxy};

use crate::cx::Cx;
use crate::{access_log, value};

pub(crate) fn tcp_proxy(cx: &Cx<'_>, proto: &Proto) -> Option<TcpProxy> {
    let cluster = match &proto.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) => TcpCluster::Cluster(name.as_str().into()),
        Some(ClusterSpecifier::WeightedClusters(weighted)) => TcpCluster::Weighted(
            weighted
                .clusters
                .iter()
                .map(|c| (c.name.as_str().into(), c.weight))
                .collect(),
        ),
        None => {
            cx.error("expected one of cluster, weighted_clusters");
            return None;
        }
    };
    Some(TcpProxy {
        stat_prefix: proto.stat_prefix.as_str().into(),
        cluster,
        idle_timeout: value::limit(
            cx,
            "idle_timeout",
            proto.idle_timeout.as_ref(),
            Some(Duration::from_secs(3600)),
        ),
        max_downstream_connection_duration: value::limit(
            cx,
            "max_downstream_connection_duration",
            proto.max_downstream_connection_duration.as_ref(),
            None,
        ),
        max_connect_attempts: value::u32_or(proto.max_connect_attempts.as_ref(), 1),
        access_logs: access_log::access_logs(cx, &proto.access_log),
    })
}
