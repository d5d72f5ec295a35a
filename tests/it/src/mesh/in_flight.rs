//! A request keeps the configuration that it began with.

use super::held::Held;
use super::*;

/// Both paths, by routes that say which they are.
fn versioned(version: u8, rest: &str, slow: &str) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: r
  response_headers_to_add: [{{ header: {{ key: x-version, value: "{version}" }} }}]
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - match: {{ prefix: /slow }}
      route: {{ cluster: {slow}, timeout: 60s, retry_policy: {{ retry_on: 5xx, num_retries: 1 }} }}
    - {{ match: {{ prefix: / }}, route: {{ cluster: {rest} }} }}"#
    )
}

fn header<'a>(response: &'a tandem_harness::client::Response, name: &str) -> Option<&'a str> {
    let mut all = response.headers.iter();
    let found = all.find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// While a request waits for its upstream, its routes and its listener are replaced and its
/// cluster is taken away. Its retry still goes where it began, and its answer is made by what it
/// began with.
#[tokio::test]
async fn a_request_keeps_the_configuration_that_it_began_with() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let held = Held::start().await;
        let said = |version: u8, rest: &str, slow: &str| {
            let named = format!("stat_prefix: v{version}\n        server_name: v{version}");
            let more =
                listener("main", mesh.port, "r", "main").replace("stat_prefix: main", &named);
            let clusters = [("one", mesh.one.port), ("two", mesh.two.port)];
            let clusters = clusters.map(|(name, port)| cluster(name) + &endpoints(name, &[port]));
            clusters.concat() + &more + &versioned(version, rest, slow)
        };
        let slow = cluster("slow") + &endpoints("slow", &[held.port]);
        mesh.plane.say(&(said(1, "two", "slow") + &slow));
        mesh.until("two").await;
        let before = wait::until_async(wait::PATIENCE, || async {
            mesh.stat("http.v1.downstream_rq_total").await > Some(0)
        });
        assert!(before.await);

        let mut client = Connection::open(mesh.port).await.unwrap();
        let get = b"GET /slow HTTP/1.1\r\nhost: a.test\r\n\r\n";
        client.send(get).await.unwrap();
        held.has(1).await;
        mesh.plane.say(&said(2, "one", "one"));
        let gone = wait::until_async(wait::PATIENCE, || async {
            let clusters = mesh.proxy.admin("/clusters").await;
            !clusters.contains("slow::") && clusters.contains("one::")
        });
        assert!(gone.await, "the cluster is still there");
        let mut other = Connection::open(mesh.port).await.unwrap();
        other.send(get).await.unwrap();
        let now = other.response("GET").await.unwrap();
        assert_eq!((now.status, &*now.body), (200, &b"one"[..]));
        assert_eq!(header(&now, "x-version"), Some("2"));
        assert_eq!(header(&now, "server"), Some("v2"));

        held.release();
        let response = client.response("GET").await.unwrap();
        held.has(2).await;
        assert_eq!((response.status, &*response.body), (200, &b"held"[..]));
        assert_eq!(header(&response, "x-version"), Some("1"));
        assert_eq!(header(&response, "server"), Some("v1"));
    }
}
