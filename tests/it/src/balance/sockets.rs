//! What metadata of endpoints and of their localities says of what carries connections, beside
//! Envoy: the endpoint speaks no TLS, so that a request shows what was chosen.

use tandem_harness::client::h1;
use tandem_harness::{Kind, Proxy, ports};

use crate::doors::backend::Backend;

/// What a match asks for, what the endpoint says, what its locality says, and whether that is TLS.
const CASES: &[(&str, &str, &str, bool)] = &[
    ("m: tls", "m: tls", "", true),
    ("m: tls", "m: other", "", false),
    ("m: tls", "", "", false),
    ("", "", "", true),
    ("n: 1", "n: 1", "", true),
    ("n: 1", "n: 1, more: x", "", true),
    ("n: 1", "n: '1'", "", false),
    ("n: 0", "n: false", "", false),
    ("b: true", "b: true", "", true),
    ("b: true", "b: 1", "", false),
    ("b: false", "", "", false),
    ("z: null", "z: null", "", true),
    ("z: null", "", "", false),
    ("l: [1, a]", "l: [1, a]", "", true),
    ("l: [1, a]", "l: [a, 1]", "", false),
    ("l: 1", "l: [1]", "", false),
    ("s: {a: 1, b: [true]}", "s: {b: [true], a: 1}", "", true),
    ("s: {a: 1}", "s: {a: 1, b: 2}", "", false),
    ("m: tls, n: 2", "m: tls", "n: 2", false),
    ("m: tls, n: 2", "", "m: tls, n: 2", true),
    ("m: tls", "m: other", "m: tls", true),
];

/// A cluster for each case.
fn bootstrap(admin: u16, port: u16, backend: u16) -> String {
    let (mut routes, mut clusters) = (String::new(), String::new());
    for (i, (wanted, own, of_locality, _)) in CASES.iter().enumerate() {
        let metadata = |says: &str| {
            format!("metadata: {{filter_metadata: {{envoy.transport_socket_match: {{{says}}}}}}}")
        };
        routes += &format!("\n              - {{match: {{path: /{i}}}, route: {{cluster: c{i}}}}}");
        clusters += &format!(
            "
  - name: c{i}
    transport_socket_matches:
    - {{name: tls, match: {{{wanted}}}, transport_socket: {{name: t, typed_config: {{'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}}}}}
    load_assignment:
      cluster_name: c{i}
      endpoints:
      - {of_locality}
        lb_endpoints: [{{{own}, endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}}}}}]",
            own = metadata(own),
            of_locality = metadata(of_locality),
        );
    }
    format!(
        "
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:{routes}
          http_filters: [{{name: router, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]
  clusters:{clusters}
"
    )
}

async fn chosen(kind: Kind) -> Vec<(usize, bool)> {
    let backend = Backend::start("any", usize::MAX).await;
    let (admin, port) = (ports::free(), ports::free());
    let proxy = Proxy::start(kind, &bootstrap(admin, port, backend.port), admin).await;
    let _proxy = proxy.unwrap();
    let mut all = Vec::new();
    for i in 0..CASES.len() {
        let status = h1::get(port, &format!("/{i}")).await.unwrap().0;
        assert!([200, 503].contains(&status), "{kind:?} {i}: {status}");
        all.push((i, status == 503));
    }
    all
}

/// Values are compared by kind and by value; a locality is asked where no match fits the endpoint.
#[tokio::test]
async fn metadata_chooses_what_carries_connections_as_envoy_does() {
    let meant: Vec<_> = CASES.iter().map(|case| case.3).enumerate().collect();
    assert_eq!(chosen(Kind::Envoy).await, meant);
    assert_eq!(chosen(Kind::Tandem).await, meant);
}
