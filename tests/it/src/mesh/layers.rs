//! Runtime layers under a control plane (RTDS).

use super::*;

/// Everything goes to cluster `one`, but for the share that key `gone` says: it is answered 410.
fn shared_routes() -> String {
    routes("r", "one").replace(
        "routes: [",
        "routes: [{ match: { prefix: /, runtime_fraction: { runtime_key: gone, default_value: {} } }, \
         direct_response: { status: 410 } }, ",
    )
}

pub fn layer(share: &str) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.service.runtime.v3.Runtime
  name: mine
  layer: {{ gone: {share} }}"#
    )
}

async fn status(port: u16) -> Option<u16> {
    Some(h1::get(port, "/").await.ok()?.0)
}

/// Everything else waits for the first values; later ones hold at once, and what is wrong is
/// refused by name while the last good ones go on.
#[tokio::test]
async fn values_of_a_layer_come_from_the_control_plane() {
    for variant in VARIANTS {
        let plane = Plane::start().await;
        let [port, admin] = [ports::free(), ports::free()];
        let (one, two) = (Backend::start("one").await, Backend::start("two").await);
        let base = said(port, &one, &two, "one").replace(&routes("r", "one"), &shared_routes());
        plane.say(&base);
        let config = bootstrap(variant, plane.port, admin)
            + "layered_runtime: { layers: [{ name: planes, rtds_layer: { name: mine, rtds_config: \
               { ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s } } }] }\n";
        let starting =
            tokio::spawn(async move { Proxy::start(Kind::Tandem, &config, admin).await.unwrap() });
        let asked = wait::until_async(wait::PATIENCE, || async {
            let page = h1::get(admin, "/stats").await;
            page.is_ok_and(|(_, page)| page.contains("runtime.update_attempt: 1"))
        });
        assert!(asked.await, "{variant}: nobody asked for the layer");
        assert_eq!(status(port).await, None, "it did not wait for its layer");
        plane.say(&(base.clone() + &layer("100")));
        let proxy = starting.await.unwrap();

        let answers = async |share: &str, expected: u16| {
            plane.say(&(base.clone() + &layer(share)));
            let there = wait::until_async(wait::PATIENCE, || async {
                status(port).await == Some(expected)
            });
            assert!(there.await, "{variant} {share}: {}", proxy.process.output());
        };
        answers("100", 410).await;
        answers("0", 200).await;
        answers("{ numerator: 100 }", 410).await;
        plane.say(&(base.clone() + &layer("null")));
        plane
            .refused("mine: layer[\"gone\"]: expected a number")
            .await;
        assert_eq!(status(port).await, Some(410));
        let shown = proxy.admin("/runtime").await;
        assert!(
            shown.contains("planes") && shown.contains("gone"),
            "{shown}"
        );
    }
}
