//! Scopes of routes under a control plane.

use tandem_harness::client::h1::Connection;

use super::*;

/// A listener whose scopes a control plane sends; header `x-scope` says which one is taken.
pub fn scoped_listener(port: u16) -> String {
    let rds = "rds: { route_config_name: r, config_source: { ads: {}, resource_api_version: V3 } }";
    let source = "{ ads: {}, resource_api_version: V3 }";
    let scoped = format!(
        "scoped_routes: {{ name: s, rds_config_source: {source}, \
         scoped_rds: {{ scoped_rds_config_source: {source} }}, scope_key_builder: {{ fragments: \
         [{{ header_value_extractor: {{ name: x-scope, index: 0 }} }}] }} }}"
    );
    listener("main", port, "r", "main").replace(rds, &scoped)
}

pub fn scope(name: &str, key: &str, routes: &str) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration
  name: {name}
  route_configuration_name: {routes}
  key: {{ fragments: [{{ string_key: '{key}' }}] }}"#
    )
}

/// What a request of a scope is answered.
async fn answer(port: u16, scope: &str) -> (u16, String) {
    let mut connection = Connection::open(port).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: a.test\r\nx-scope: {scope}\r\n\r\n");
    connection.send(request.as_bytes()).await.unwrap();
    let response = connection.response("GET").await.unwrap();
    let body = String::from_utf8(response.body.to_vec()).unwrap();
    (response.status, body)
}

/// Each key takes its scope's routes, whichever way scopes come; they change while traffic runs,
/// and what is refused changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn scopes_choose_the_routes() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let port = ports::free();
        let say = |scopes: &[String]| {
            let base = said(mesh.port, &mesh.one, &mesh.two, "one");
            let scoped = scoped_listener(port).replace("name: main", "name: scoped");
            let routes = routes("r1", "one") + &routes("r2", "two");
            mesh.plane
                .say(&(base + &scoped + &routes + &scopes.concat()));
        };
        let until = async |scope: &str, expected: (u16, &str)| {
            let there = wait::until_async(wait::PATIENCE, || async {
                let found = answer(port, scope).await;
                (found.0, &*found.1) == expected
            });
            assert!(there.await, "{variant}: {}", mesh.proxy.process.output());
        };
        say(&[scope("a", "x", "r1"), scope("b", "y", "r2")]);
        mesh.plane.accepted().await;
        let open = wait::until_async(wait::PATIENCE, || async {
            Connection::open(port).await.is_ok()
        });
        assert!(open.await, "{}", mesh.proxy.process.output());
        until("x", (200, "one")).await;
        until("y", (200, "two")).await;
        until("z", (404, "")).await;

        say(&[scope("a", "x", "r2"), scope("c", "z", "r1")]);
        until("x", (200, "two")).await;
        until("z", (200, "one")).await;
        until("y", (404, "")).await;

        say(&[scope("a", "x", "r2"), scope("c", "x", "r1")]);
        mesh.plane.refused("expected every key once").await;
        until("x", (200, "two")).await;
        until("z", (200, "one")).await;
        let dump = mesh.proxy.admin("/config_dump").await;
        for part in [
            "envoy.admin.v3.ScopedRoutesConfigDump",
            "dynamic_scoped_route_configs",
            "expected every key once",
        ] {
            assert!(dump.contains(part), "{part}: {dump}");
        }
        assert!(mesh.stat("http.scoped_rds.update_rejected").await > Some(0));
    }
}
