//! How long what leads to a cluster waits for it.

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use hcm::http_connection_manager::RouteSpecifier;

use super::*;
use crate::cascade::Heard;

/// A cluster whose endpoints are waited for without limit.
fn endless_cluster(name: &str) -> Resource {
    let Resource { value, .. } = eds_cluster(name, 1);
    let mut cluster = pb::cluster::v3::Cluster::decode(value.as_slice()).unwrap();
    let eds = cluster.eds_cluster_config.as_mut().unwrap();
    let source = eds.eds_config.as_mut().unwrap();
    source.initial_fetch_timeout = Some(envoy_types::pb::google::protobuf::Duration::default());
    resource(name, cluster.encode_to_vec())
}

/// A listener with routes of its own.
pub(super) fn own_routes(name: &str, port: u32, clusters: &[&str]) -> Resource {
    let Resource { value, .. } = routes("own", clusters);
    let config = pb::route::v3::RouteConfiguration::decode(value.as_slice()).unwrap();
    listener_by(name, port, RouteSpecifier::RouteConfig(config))
}

impl Rig {
    /// Serves listener `l` to cluster `c`, while `x` warms.
    fn serve_beside_endless(&mut self) {
        self.serve();
        let both = vec![eds_cluster("c", 1), endless_cluster("x")];
        self.send(Kind::Cluster, both).unwrap();
        self.steps();
    }

    fn removed(&mut self, kind: Kind, name: &str) {
        let update = Update {
            removed: vec![name.to_owned()],
            ..Update::default()
        };
        let heard = self.cascade.update(kind, &Origin::Ads, &update, self.now);
        heard.unwrap();
    }
}

/// Updates in a row do not hold one another back, and a cluster that was waited for in vain does
/// not hold back those that follow.
#[test]
fn routes_that_change_again_and_again_wait_once() {
    let mut rig = rig();
    rig.serve_beside_endless();
    let next = |i: usize| routes("r", &["c", "x", "c", "c", "c"][..2 + i]);
    let half = PATIENCE / 2;
    for i in 0..2 {
        rig.send(Kind::Routes, vec![next(i)]).unwrap();
        assert!(rig.steps().is_empty());
        rig.pass(half);
    }
    assert_eq!(rig.steps(), ["routes r of 3"]);
    rig.send(Kind::Routes, vec![next(2)]).unwrap();
    assert_eq!(rig.steps(), ["routes r of 4"]);
}

#[test]
fn listeners_wait_for_clusters_but_not_for_ever() {
    let mut rig = rig();
    rig.serve_beside_endless();
    let next = |clusters: &[&str]| vec![own_routes("l", 1, clusters), own_routes("m", 2, &["c"])];
    rig.send(Kind::Listener, next(&["x"])).unwrap();
    assert_eq!(rig.steps(), ["listener m"]);
    rig.pass(PATIENCE / 2);
    rig.send(Kind::Listener, next(&["x", "c"])).unwrap();
    assert!(rig.steps().is_empty());
    assert_eq!(rig.cascade.deadline(), Some(rig.now + PATIENCE / 2));
    rig.pass(PATIENCE / 2);
    let served = ["listener l", "-Routes r", "no routes r"];
    assert_eq!(rig.steps(), served);
    assert_eq!(rig.cascade.deadline(), None);
    // Nor does what follows.
    rig.send(Kind::Listener, next(&["x", "c", "c"])).unwrap();
    assert_eq!(rig.steps(), ["listener l"]);
}

/// A cluster that was never served goes at once when it is taken away, and with it the wait.
#[test]
fn a_cluster_that_goes_before_it_came_is_not_waited_for() {
    let mut rig = rig();
    rig.serve_beside_endless();
    rig.send(Kind::Routes, vec![routes("r", &["c", "x"])])
        .unwrap();
    let both = vec![listener("l", 1, "r"), own_routes("m", 2, &["x"])];
    rig.send(Kind::Listener, both).unwrap();
    assert!(rig.steps().is_empty());
    rig.send(Kind::Cluster, vec![eds_cluster("c", 1)]).unwrap();
    let steps = ["-Endpoints x", "routes r of 2", "listener m"];
    assert_eq!(rig.steps(), steps);
    assert!(rig.cascade.initialized());
    let counts = rig.cascade.cluster_counts();
    assert_eq!((counts.added, counts.removed), (2, 1));
}

/// Delta says by a removal that there is none; what came stays.
#[test]
fn endpoints_that_are_removed_are_not_waited_for() {
    let mut rig = rig();
    rig.serve_beside_endless();
    rig.removed(Kind::Endpoints, "x");
    let counted = Action::EndpointsHeard("x".into(), Heard::Missing);
    let actions = rig.cascade.actions();
    assert!(
        matches!(&actions[..], [Action::SetCluster(cluster, None), heard]
        if &*cluster.name == "x" && *heard == counted)
    );
    rig.removed(Kind::Endpoints, "c");
    assert!(rig.steps().is_empty());
}
