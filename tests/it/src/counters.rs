//! What requests count, beside Envoy: one request at a time, and the counters that it moved.

use std::collections::BTreeMap;

use tandem_harness::client::h1::Connection;
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};
use tokio::net::TcpListener;

/// Those of the connection manager and of every cluster that are compared.
const NAMES: &[&str] = &[
    "downstream_rq_completed",
    "downstream_rq_idle_timeout",
    "downstream_rq_max_duration_reached",
    "downstream_rq_timeout",
    "lb_healthy_panic",
    "no_cluster",
    "no_route",
    "retry.upstream_rq_503",
    "retry.upstream_rq_completed",
    "rq_direct_response",
    "rq_redirect",
    "rq_total",
    "upstream_cx_none_healthy",
    "upstream_rq_active_overflow",
    "upstream_rq_cancelled",
    "upstream_rq_completed",
    "upstream_rq_pending_overflow",
    "upstream_rq_retry",
    "upstream_rq_rx_reset",
    "upstream_rq_timeout",
    "upstream_rq_total",
    "upstream_rq_tx_reset",
];

/// A name, and the request's path with more headers.
const REQUESTS: &[(&str, &str)] = &[
    ("passed on", "/"),
    ("redirect", "/redirect"),
    ("direct response", "/direct"),
    ("no route", "/none"),
    ("no header that names a cluster", "/header"),
    ("a header that names none", "/header|x-cluster: nobody"),
    ("max_requests", "/full"),
    ("no endpoints", "/empty"),
    ("no endpoints, without panic", "/calm"),
    ("retried", "/retried|x-script: 503|200"),
    ("broken off", "/|x-script: break=before"),
    ("timeout", "/timeout|x-script: 200 delay=60000"),
    ("no connection in time", "/silent"),
    ("idle", "/idle|x-script: 200 delay=60000"),
    ("long", "/long|x-script: 200 delay=60000"),
    ("half a request", "/|content-length: 10"),
];

type Counts = BTreeMap<String, u64>;

fn scope(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

async fn read(proxy: &Proxy) -> Counts {
    let page = proxy.admin("/stats").await;
    let lines = page.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(name, _)| !name.starts_with("http.admin."))
        .filter(|(name, _)| ["http", "tcp", "cluster"].contains(&scope(name)))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

/// What each request moved.
async fn moved(kind: Kind, upstream: u16) -> Vec<(&'static str, Counts)> {
    let [port, admin] = [ports::free(), ports::free()];
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bootstrap = BOOTSTRAP
        .replace(
            "SILENT_PORT",
            &silent.local_addr().unwrap().port().to_string(),
        )
        .replace("LISTENER_PORT", &port.to_string())
        .replace("ADMIN_PORT", &admin.to_string())
        .replace("UPSTREAM_PORT", &upstream.to_string());
    let proxy = Proxy::start(kind, &bootstrap, admin).await.unwrap();
    let mut all = Vec::new();
    for (name, request) in REQUESTS {
        let before = read(&proxy).await;
        let (path, header) = request.split_once('|').unwrap_or((request, "x-none: "));
        let mut connection = Connection::open(port).await.unwrap();
        let text = format!("GET {path} HTTP/1.1\r\nhost: any\r\n{header}\r\n\r\n");
        connection.send(text.as_bytes()).await.unwrap();
        connection.response("GET").await.unwrap();
        const ENDED: &str = "http.main.downstream_rq_completed";
        let ended = wait::until_async(wait::PATIENCE, || async {
            let now = read(&proxy).await;
            let is_over = now["http.main.downstream_rq_active"] == 0;
            is_over && now[ENDED] > before.get(ENDED).copied().unwrap_or(0)
        });
        assert!(ended.await, "{kind:?}: {name}: not counted");
        let mut after = read(&proxy).await;
        after.retain(|counter, value| {
            *value = value.saturating_sub(before.get(counter).copied().unwrap_or(0));
            let compared = |wanted: &&str| counter.ends_with(&format!(".{wanted}"));
            // Tandem does not say who asked.
            *value > 0 && !counter.contains(".external.") && NAMES.iter().any(compared)
        });
        all.push((*name, after));
    }
    all
}

#[tokio::test]
async fn requests_count_what_they_count_in_envoy() {
    let upstream = Upstream::start(&["up"]).await;
    let port = upstream.ports()[0];
    let (ours, envoys) = tokio::join!(moved(Kind::Tandem, port), moved(Kind::Envoy, port));
    let pairs = ours.iter().zip(&envoys);
    let other: Vec<_> = pairs.filter(|(ours, envoys)| ours != envoys).collect();
    assert!(other.is_empty(), "{other:#?}");
    let cancelled =
        |(_, counts): &(_, Counts)| counts.contains_key("cluster.silent.upstream_rq_cancelled");
    assert_eq!(ours.iter().filter(|moved| cancelled(moved)).count(), 1);
}

/// The counters of bytes, while all connections are still open. The request goes through two
/// listeners, over HTTP/2 between them, and bytes through a third.
async fn bytes(kind: Kind, upstream: u16) -> Counts {
    let [first, second, raw, admin] = std::array::from_fn(|_| ports::free());
    let bootstrap = TWICE
        .replace("FIRST_PORT", &first.to_string())
        .replace("SECOND_PORT", &second.to_string())
        .replace("RAW_PORT", &raw.to_string())
        .replace("ADMIN_PORT", &admin.to_string())
        .replace("UPSTREAM_PORT", &upstream.to_string());
    let proxy = Proxy::start(kind, &bootstrap, admin).await.unwrap();
    let mut open = Vec::new();
    for port in [first, raw] {
        let mut connection = Connection::open(port).await.unwrap();
        let head = "POST / HTTP/1.1\r\nhost: any\r\nx-script: 200 body=20000\r\n\
                    content-length: 10000\r\n\r\n";
        connection.send(head.as_bytes()).await.unwrap();
        connection.send(&[b'x'; 10_000]).await.unwrap();
        let response = connection.response("POST").await.unwrap();
        assert_eq!((response.status, response.body.len()), (200, 20_000));
        open.push(connection);
    }
    let moved = || async {
        let mut counts = read(&proxy).await;
        counts.retain(|name, _| name.ends_with("x_bytes_total"));
        counts
    };
    // The last ones are counted a moment after they have moved.
    let all = wait::until_async(wait::PATIENCE, || async {
        let counts = moved().await;
        counts.iter().all(|(name, count)| *count >= least(name))
    });
    assert!(all.await, "{kind:?}: {:?}", moved().await);
    moved().await
}

/// So many bytes at least are a counter's: what an upstream answers is what the client gets.
fn least(name: &str) -> u64 {
    let is_answer = name.contains(".upstream_cx_rx") || name.contains(".downstream_cx_tx");
    if is_answer { 20_000 } else { 10_000 }
}

/// Bytes are counted when they move, not when their connection ends; of HTTP/2 as of HTTP/1. (Heads
/// are not of the same length in both.)
#[tokio::test]
async fn bytes_count_as_they_move() {
    let upstream = Upstream::start(&["up"]).await;
    let port = upstream.ports()[0];
    let (ours, envoys) = tokio::join!(bytes(Kind::Tandem, port), bytes(Kind::Envoy, port));
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        envoys.keys().collect::<Vec<_>>()
    );
    assert_eq!(ours.len(), 12, "{ours:#?}");
    for (name, count) in &ours {
        let least = least(name);
        assert!((least..least + 600).contains(count), "{name}: {count}");
        assert!(
            count.abs_diff(envoys[name]) < 300,
            "{name}: {ours:#?} {envoys:#?}"
        );
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
          request_timeout: 0.5s
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - { match: { path: /redirect }, redirect: { path_redirect: /new } }
              - { match: { path: /direct }, direct_response: { status: 200 } }
              - { match: { path: /header }, route: { cluster_header: x-cluster } }
              - { match: { path: /full }, route: { cluster: full } }
              - { match: { path: /empty }, route: { cluster: empty } }
              - { match: { path: /calm }, route: { cluster: calm } }
              - { match: { path: /retried }, route: { cluster: up, retry_policy: { retry_on: 5xx, retry_back_off: { base_interval: 0.001s } } } }
              - { match: { path: /timeout }, route: { cluster: up, timeout: 0.2s } }
              - { match: { path: /silent }, route: { cluster: silent, timeout: 0.2s } }
              - { match: { path: /idle }, route: { cluster: up, timeout: 0s, idle_timeout: 0.2s } }
              - { match: { path: /long }, route: { cluster: up, timeout: 0s, max_stream_duration: { max_stream_duration: 0.2s } } }
              - { match: { path: / }, route: { cluster: up } }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: up
    connect_timeout: 1s
    load_assignment: &up
      cluster_name: up
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM_PORT } } } }] }]
  # A handshake that is never answered.
  - name: silent
    connect_timeout: 60s
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext }
    load_assignment:
      cluster_name: silent
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: SILENT_PORT } } } }] }]
  - { name: full, connect_timeout: 1s, circuit_breakers: { thresholds: [{ max_requests: 0 }] }, load_assignment: *up }
  - { name: empty, connect_timeout: 1s }
  - { name: calm, connect_timeout: 1s, common_lb_config: { healthy_panic_threshold: { value: 0 } } }
"#;

const TWICE: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN_PORT } } }
static_resources:
  listeners:
  - name: first
    address: { socket_address: { address: 127.0.0.1, port_value: FIRST_PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: first
          route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: second } }] }] }
          http_filters: &router
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  - name: second
    address: { socket_address: { address: 127.0.0.1, port_value: SECOND_PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: second
          route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: up } }] }] }
          http_filters: *router
  - name: raw
    address: { socket_address: { address: 127.0.0.1, port_value: RAW_PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: raw
          cluster: raw
  clusters:
  - name: second
    connect_timeout: 1s
    load_assignment:
      cluster_name: second
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: SECOND_PORT } } } }] }]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
  - name: up
    connect_timeout: 1s
    load_assignment: &up
      cluster_name: up
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM_PORT } } } }] }]
  - { name: raw, connect_timeout: 1s, load_assignment: *up }
"#;
