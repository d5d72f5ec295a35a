//! Virtual hosts that come by themselves.

use tandem_harness::client::h1::Connection;

use super::*;

pub fn open_routes(name: &str) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: {name}
  vhds: {{ config_source: {{ ads: {{}}, resource_api_version: V3 }} }}"#
    )
}

pub fn host(name: &str, domain: &str, cluster: &str) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.route.v3.VirtualHost
  name: {name}
  domains: ["{domain}"]
  routes: [{{ match: {{ prefix: / }}, route: {{ cluster: {cluster} }} }}]"#
    )
}

/// What a request to a host is answered.
async fn answer(port: u16, host: &str) -> Option<(u16, String)> {
    let mut connection = Connection::open(port).await.ok()?;
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
    connection.send(request.as_bytes()).await.ok()?;
    let response = connection.response("GET").await.ok()?;
    let body = String::from_utf8(response.body.to_vec()).ok()?;
    Some((response.status, body))
}

/// Virtual hosts come, move and go while their route configuration stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn virtual_hosts_come_by_themselves() {
    let mesh = Mesh::start("DELTA_GRPC").await;
    let port = ports::free();
    let say = |hosts: &[String]| {
        let base = said(mesh.port, &mesh.one, &mesh.two, "one");
        let open = listener("open", port, "v", "open") + &open_routes("v");
        mesh.plane.say(&(base + &open + &hosts.concat()));
    };
    let until = async |host: &str, status: u16, body: &str| {
        let there = wait::until_async(wait::PATIENCE, || async {
            answer(port, host).await == Some((status, body.to_owned()))
        });
        assert!(there.await, "{}", mesh.proxy.process.output());
    };
    say(&[host("v/a", "a.test", "one"), host("v/b", "b.test", "two")]);
    until("a.test", 200, "one").await;
    until("b.test", 200, "two").await;
    until("c.test", 404, "").await;
    say(&[host("v/a", "a.test", "two"), host("v/c", "c.test", "one")]);
    until("a.test", 200, "two").await;
    until("c.test", 200, "one").await;
    until("b.test", 404, "").await;
    say(&[
        host("v/a", "a.test", "two"),
        host("v/c", "c.test", "one"),
        host("v/d", "c.test", "two"),
    ]);
    mesh.plane.refused("expected every domain once").await;
    until("c.test", 200, "one").await;
    assert!(mesh.stat("http.vhds.update_rejected").await > Some(0));
}
