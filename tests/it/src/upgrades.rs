//! What a WebSocket counts while it is open and when it has ended, beside Envoy.

use std::collections::BTreeMap;

use tandem_harness::client::h1::Connection;
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};

/// How it ends.
const ENDINGS: &[(&str, &str)] = &[
    ("the client leaves", "200 upgrade"),
    ("the upstream breaks off", "200 upgrade break=mid"),
];

/// What is compared. (Envoy resets a stream whose client has left; here its end is passed on.)
const NAMES: &[&str] = &[
    "circuit_breakers.default.cx_open",
    "circuit_breakers.default.rq_open",
    "upstream_cx_active",
    "upstream_cx_destroy",
    "upstream_cx_destroy_local",
    "upstream_cx_destroy_local_with_active_rq",
    "upstream_cx_destroy_remote",
    "upstream_cx_destroy_remote_with_active_rq",
    "upstream_cx_overflow",
    "upstream_cx_total",
    "upstream_rq_active",
    "upstream_rq_pending_active",
    "upstream_rq_pending_total",
    "upstream_rq_rx_reset",
    "upstream_rq_total",
];

type Counts = BTreeMap<String, i64>;

async fn read(proxy: &Proxy, cluster: &str) -> Counts {
    let page = proxy.admin("/stats").await;
    let prefix = format!("cluster.{cluster}.");
    let lines = page.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value.parse().ok()?)))
        .filter(|(name, _)| NAMES.contains(name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

async fn open(port: u16, cluster: &str, script: &str) -> (Connection, u16) {
    let mut connection = Connection::open(port).await.unwrap();
    let request = format!(
        "GET /{cluster} HTTP/1.1\r\nhost: any\r\nx-script: {script}\r\n\
         connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    );
    connection.send(request.as_bytes()).await.unwrap();
    let status = connection.response("GET").await.unwrap().status;
    (connection, status)
}

/// What is counted with one open, what another gets meanwhile, and what is counted in the end.
async fn watched(kind: Kind, upstream: &Upstream) -> Vec<(String, Counts, u16, Counts)> {
    let [port, admin] = [ports::free(), ports::free()];
    let bootstrap = BOOTSTRAP
        .replace("LISTENER_PORT", &port.to_string())
        .replace("ADMIN_PORT", &admin.to_string())
        .replace("UPSTREAM_PORT", &upstream.port().to_string());
    let proxy = Proxy::start(kind, &bootstrap, admin).await.unwrap();
    let mut all = Vec::new();
    for (ending, script) in ENDINGS {
        for cluster in ["one_request", "one_connection", "one_request_h2"] {
            let (mut connection, status) = open(port, cluster, script).await;
            assert_eq!(status, 101, "{kind:?} {cluster}");
            let during = read(&proxy, cluster).await;
            let (_, other) = open(port, cluster, "200").await;
            if script.contains("break") {
                connection.send(b"ping").await.unwrap();
                assert!(connection.closes_within(wait::PATIENCE).await);
            }
            drop(connection);
            let ended = wait::until_async(wait::PATIENCE, || async {
                read(&proxy, cluster).await["upstream_rq_active"] == 0
            });
            assert!(ended.await, "{kind:?} {cluster}: still counted");
            let after = read(&proxy, cluster).await;
            all.push((format!("{cluster}: {ending}"), during, other, after));
        }
    }
    all
}

#[tokio::test]
async fn a_websocket_is_counted_as_long_as_it_is_open() {
    let upstream = Upstream::start(&["up"]).await;
    let (ours, envoys) = tokio::join!(
        watched(Kind::Tandem, &upstream),
        watched(Kind::Envoy, &upstream)
    );
    for (ours, envoys) in ours.iter().zip(&envoys) {
        assert_eq!(ours, envoys);
    }
}

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN_PORT } } }
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: LISTENER_PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          upgrade_configs: [{ upgrade_type: websocket }]
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - { match: { path: /one_request }, route: { cluster: one_request } }
              # When who waits for the only connection is told: long enough for the WebSocket itself.
              - { match: { path: /one_connection }, route: { cluster: one_connection, timeout: 6s } }
              - { match: { path: /one_request_h2 }, route: { cluster: one_request_h2 } }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: one_request
    connect_timeout: 1s
    circuit_breakers: { thresholds: [{ max_requests: 1 }] }
    load_assignment: &up
      cluster_name: up
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM_PORT } } } }] }]
  - name: one_connection
    connect_timeout: 1s
    circuit_breakers: { thresholds: [{ max_connections: 1 }] }
    load_assignment: *up
  - name: one_request_h2
    connect_timeout: 1s
    circuit_breakers: { thresholds: [{ max_requests: 1 }] }
    load_assignment: *up
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: { allow_connect: true } }
"#;
