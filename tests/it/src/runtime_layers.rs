//! Runtime layers change a running process; Envoy and Tandem alike.

use tandem_harness::client::h1;
use tandem_harness::{Kind, Proxy, ports};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN } } }
layered_runtime:
  layers:
  - name: base
    static_layer: { routing: { new: { numerator: 100, denominator: HUNDRED }, split: { a: 0 } }, faults: 0 }
  - { name: admin, admin_layer: {} }
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { path: /share, runtime_fraction: { default_value: { numerator: 0 }, runtime_key: routing.new } }
                direct_response: { status: 201 }
              - match: { path: /default, runtime_fraction: { default_value: { numerator: 0 }, runtime_key: routing.other } }
                direct_response: { status: 201 }
              - match: { path: /split }
                route:
                  weighted_clusters:
                    runtime_key_prefix: routing.split
                    clusters: [{ name: a, weight: 0 }, { name: b, weight: 1, typed_per_filter_config: OWN }]
              - match: { prefix: / }
                direct_response: { status: 200 }
          http_filters:
          - name: envoy.filters.http.fault
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
              abort: { http_status: 418, percentage: { numerator: 100 } }
              abort_percent_runtime: faults
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: b
    connect_timeout: 1s
    load_assignment: { cluster_name: b, endpoints: [] }
  - name: a
    connect_timeout: 1s
    load_assignment: { cluster_name: a, endpoints: [] }
"#;

struct Side {
    proxy: Proxy,
    port: u16,
}

impl Side {
    async fn start(kind: Kind) -> Self {
        let (port, admin) = (ports::free(), ports::free());
        let text = BOOTSTRAP
            .replace("ADMIN", &admin.to_string())
            .replace("PORT", &port.to_string())
            .replace("OWN", OWN);
        let proxy = Proxy::start(kind, &text, admin).await.unwrap();
        Self { proxy, port }
    }

    async fn status(&self, path: &str) -> u16 {
        h1::get(self.port, path).await.unwrap().0
    }

    /// The status line of `/runtime_modify`.
    async fn modify(&self, query: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.proxy.admin))
            .await
            .unwrap();
        let request = format!(
            "POST /runtime_modify?{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split("\r\n").next().unwrap_or_default().to_owned()
    }

    async fn shown(&self) -> serde_json::Value {
        let (_, text) = h1::get(self.proxy.admin, "/runtime").await.unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// Faults of one cluster alone, by a key of their own.
const OWN: &str = r#"{ envoy.filters.http.fault: { "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, abort: { http_status: 429, percentage: { numerator: 100 } } } }"#;

/// The same steps with both; a step is a change, a path, and the status that it has then.
#[tokio::test]
async fn values_hold_at_once_and_can_be_taken_back() {
    for kind in [Kind::Envoy, Kind::Tandem] {
        let side = Side::start(kind).await;
        for (change, path, status) in [
            ("", "/share", 201),
            ("", "/default", 200),
            ("routing.new=0", "/share", 200),
            ("routing.new=", "/share", 201),
            ("routing.other=100", "/default", 201),
            (
                "routing.other={numerator:0,denominator:MILLION}",
                "/default",
                200,
            ),
            ("faults=100", "/", 418),
            ("fault.http.abort.http_status=503", "/", 503),
            ("faults=&fault.http.abort.http_status=", "/", 200),
            ("", "/split", 429),
            ("routing.split.a=1&routing.split.b=0", "/split", 503),
        ] {
            if !change.is_empty() {
                assert_eq!(side.modify(change).await, "HTTP/1.1 200 OK", "{kind:?}");
            }
            // Envoy's workers hear of a change a moment later.
            let is = || async { side.status(path).await == status };
            let mut tries = 0;
            while !is().await {
                tries += 1;
                assert!(
                    tries < 500,
                    "{kind:?}: {change}: {path}: {}",
                    side.status(path).await
                );
            }
        }
        let shown = side.shown().await;
        assert_eq!(shown["layers"], serde_json::json!(["base", "admin"]));
        let entry = &shown["entries"]["routing.other"];
        let text = "{numerator:0,denominator:MILLION}";
        let expected = serde_json::json!({"layer_values": ["", text], "final_value": text});
        assert_eq!(*entry, expected, "{kind:?}");
        assert_eq!(
            side.modify("").await,
            "HTTP/1.1 400 Bad Request",
            "{kind:?}"
        );
    }
}
