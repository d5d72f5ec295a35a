//! What a real istiod pushed, from the tests' own control plane.

use base64::Engine as _;
use envoy_types::pb::google::protobuf::Any;
use serde_json::Value;
use tandem_xds_translate::Source;

use super::*;

/// What was pushed to one proxy; how it was made says `istiod/README.md` there.
fn pushed(to: &str) -> Vec<Value> {
    let text = include_str!("../../../../xds/translate/tests/istiod/pushed.json");
    let mut all: Vec<Value> = serde_json::from_str(text).unwrap();
    all.retain(|resource| {
        let mut pushes = resource["pushes"].as_array().unwrap().iter();
        pushes.any(|push| push == to)
    });
    all
}

fn any(resource: &Value) -> Any {
    let engine = base64::engine::general_purpose::STANDARD;
    let name = resource["type"].as_str().unwrap();
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: engine.decode(resource["value"].as_str().unwrap()).unwrap(),
    }
}

impl Mesh {
    /// Says what the test has itself, routed to cluster `two`, and these.
    fn say_besides<'a>(&self, resources: impl Iterator<Item = &'a Value>) {
        let own = said(self.port, &self.one, &self.two, "two");
        let source = Source::yaml("own", format!("resources:\n{own}"));
        let own = tandem_xds_translate::read_response(&source)
            .unwrap()
            .response;
        let mut all = own.resources;
        all.extend(resources.map(any));
        self.plane.say_all(all);
    }
}

/// With Istio's own filters most of it is refused, each resource by its name; the rest is served.
#[tokio::test]
async fn what_is_refused_of_it_leaves_the_rest_serving() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let pushed = pushed("full/echo-delta");
        mesh.say_besides(pushed.iter());
        let refused = pushed
            .iter()
            .filter(|resource| !resource["refused"].is_null());
        for resource in refused {
            let name = resource["name"].as_str().unwrap();
            let reason = resource["refused"][0].as_str().unwrap();
            mesh.plane.refused(&format!("{name}: {reason}")).await;
        }
        mesh.until("two").await;
        let dump = mesh
            .proxy
            .admin("/config_dump?resource=dynamic_active_clusters")
            .await;
        for name in ["InboundPassthroughCluster", "BlackHoleCluster"] {
            assert!(dump.contains(name), "{dump}");
        }
    }
}

/// Without them nothing of it is. (The two listeners with ports of their own would meet other
/// tests'.)
#[tokio::test]
async fn what_envoy_itself_would_take_is_taken() {
    for push in ["vanilla/echo-delta", "k8s/kecho-delta"] {
        let mesh = Mesh::start("DELTA_GRPC").await;
        let pushed = pushed(push);
        assert!(pushed.len() > 5);
        let bound = ["virtualInbound", "virtualOutbound"];
        mesh.say_besides(pushed.iter().filter(|resource| {
            let name = resource["name"].as_str().unwrap();
            resource["refused"].is_null() && !bound.contains(&name)
        }));
        mesh.plane.accepted().await;
        mesh.until("two").await;
    }
}
