//! Several control planes for the same, and what is said to one that comes back.

use super::*;

const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

/// A bootstrap with a second control plane for when the first is gone.
fn with_backup(variant: &str, first: u16, second: u16, admin: u16) -> String {
    let config = bootstrap(variant, first, admin);
    let (_, cluster) = config.split_once("  clusters:\n").unwrap();
    let second = cluster
        .replace("plane", "second")
        .replace(&first.to_string(), &second.to_string());
    let service = |name| {
        format!(
            "{{ envoy_grpc: {{ cluster_name: {name} }}, \
             initial_metadata: [{{ key: x-token, value: for-{name} }}] }}"
        )
    };
    let services = format!("[{}, {}]", service("plane"), service("second"));
    config.replace("[{ envoy_grpc: { cluster_name: plane } }]", &services) + &second
}

/// The second is asked while the first is gone, and the first again when the second is; each with
/// the token that is meant for it.
#[tokio::test(flavor = "multi_thread")]
async fn another_control_plane_is_used_while_the_first_is_gone() {
    for variant in VARIANTS {
        let (first, mut second) = (Plane::start().await, Plane::start().await);
        let [port, admin] = [ports::free(), ports::free()];
        let (one, two) = (Backend::start("one").await, Backend::start("two").await);
        first.say(&said(port, &one, &two, "one"));
        second.say(&said(port, &one, &two, "two"));
        let config = with_backup(variant, first.port, second.port, admin);
        let proxy = Proxy::start(Kind::Tandem, &config, admin).await.unwrap();
        first.accepted().await;
        assert_eq!(second.streams(), 0);
        let mut mesh = Mesh {
            plane: first,
            proxy,
            port,
            one,
            two,
        };
        mesh.until("one").await;
        let load = Load::start(port);
        mesh.plane.stop().await;
        second.accepted().await;
        mesh.until("two").await;
        load.goes_on(20).await;
        mesh.plane.resume().await;
        second.stop().await;
        mesh.until("one").await;
        load.has_no_failures().await;
        assert_eq!(mesh.plane.tokens(), ["for-plane"]);
        assert_eq!(second.tokens(), ["for-second"]);
    }
}

/// What is held is said on a new stream, so that only what changed has to come again.
#[tokio::test]
async fn a_new_delta_stream_says_the_versions_that_are_held() {
    let mut mesh = Mesh::start("DELTA_GRPC").await;
    let version = |mesh: &Mesh, url: &str, name: &str| mesh.plane.begun_with(url, name);
    assert_eq!(version(&mesh, CLUSTERS, "one"), None);
    mesh.say("two", "");
    mesh.until("two").await;
    mesh.plane.accepted().await;
    mesh.plane.stop().await;
    mesh.plane.resume().await;
    let said = wait::until(wait::PATIENCE, || {
        let known = |url, name| version(&mesh, url, name).is_some();
        known(ENDPOINTS, "two") && known(CLUSTERS, "two") && known(CLUSTERS, "one")
    });
    assert!(said.await, "{}", mesh.proxy.process.output());
    assert_eq!(version(&mesh, CLUSTERS, "one").as_deref(), Some("1"));
    let routes = CLUSTERS.replace("cluster.v3.Cluster", "route.v3.RouteConfiguration");
    let changed = wait::until(wait::PATIENCE, || {
        version(&mesh, &routes, "r").as_deref() == Some("2")
    });
    assert!(changed.await);
    mesh.until("two").await;
}
