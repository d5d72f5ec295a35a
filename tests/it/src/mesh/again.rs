//! Endpoints that an answer only repeats.

use super::*;

/// In state of the world a control plane says all endpoints when one changes: the others are
/// counted as accepted, with the answer's version, and as what nothing was built of anew.
#[tokio::test]
async fn endpoints_that_come_again_are_counted_as_with_envoy() {
    for kind in [Kind::Envoy, Kind::Tandem] {
        let plane = Plane::start().await;
        let [port, admin] = [ports::free(), ports::free()];
        let all = |other: &[u16]| {
            [
                cluster("one"),
                cluster("other"),
                endpoints("one", &[1]),
                endpoints("other", other),
                listener("main", port, "r", "main"),
                routes("r", "one"),
            ]
            .concat()
        };
        plane.say(&all(&[2]));
        let config = bootstrap("GRPC", plane.port, admin);
        let proxy = Proxy::start(kind, &config, admin).await.unwrap();
        plane.accepted().await;
        for (other, version) in [(&[2, 3][..], 2), (&[2, 3, 4], 3)] {
            plane.say(&all(other));
            let expected = [
                format!("cluster.one.update_success: {version}\n"),
                format!("cluster.one.update_no_rebuild: {}\n", version - 1),
                format!("cluster.one.version_text: \"{version}\"\n"),
                format!("cluster.other.update_success: {version}\n"),
                "cluster.other.update_no_rebuild: 0\n".to_owned(),
                format!("cluster.other.version_text: \"{version}\"\n"),
            ];
            let counted = wait::until_async(wait::PATIENCE, || async {
                let page = proxy.admin("/stats").await;
                expected.iter().all(|line| page.contains(&**line))
            });
            let counted = counted.await;
            let page = proxy
                .admin("/stats?filter=cluster.o.*(update|version)")
                .await;
            assert!(counted, "{kind:?}: {expected:?}: {page}");
        }
    }
}
