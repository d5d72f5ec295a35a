//! What requests count, beside Envoy: one request at a time, and the counters that it moved.

use std::collections::BTreeMap;

use tandem_harness::client::h1::Connection;
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};

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
    ("idle", "/idle|x-script: 200 delay=60000"),
    ("long", "/long|x-script: 200 delay=60000"),
    ("half a request", "/|content-length: 10"),
];

type Counts = BTreeMap<String, u64>;

async fn read(proxy: &Proxy) -> Counts {
    let page = proxy.admin("/stats").await;
    let lines = page.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(name, _)| name.starts_with("http.main.") || name.starts_with("cluster."))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

/// What each request moved.
async fn moved(kind: Kind, upstream: u16) -> Vec<(&'static str, Counts)> {
    let [port, admin] = [ports::free(), ports::free()];
    let bootstrap = BOOTSTRAP
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
  - { name: full, connect_timeout: 1s, circuit_breakers: { thresholds: [{ max_requests: 0 }] }, load_assignment: *up }
  - { name: empty, connect_timeout: 1s }
  - { name: calm, connect_timeout: 1s, common_lb_config: { healthy_panic_threshold: { value: 0 } } }
"#;
