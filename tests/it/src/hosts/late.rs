//! A wire that is slow.

use std::time::{Duration, Instant};

use tandem_harness::client::h1;
use tandem_harness::relay::{Mode, Relay};
use tandem_harness::{Kind, Proxy, ports, wait};

use crate::mesh::backend::Backend;

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN } } }
static_resources:
  listeners:
  - name: outbound
    address: { socket_address: { address: 127.0.0.1, port_value: FRONT } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: outbound
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: far, timeout: 3s } }] }
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: far
    connect_timeout: 0.5s
    load_assignment:
      cluster_name: far
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: RELAY } } }
"#;

/// What is late is waited for as long as its timeout says, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_waited_for_until_the_timeout() {
    let app = Backend::start("app").await;
    let relay = Relay::start(([127, 0, 0, 1], app.port).into()).await;
    let [front, admin] = [ports::free(), ports::free()];
    let config = BOOTSTRAP
        .replace("ADMIN", &admin.to_string())
        .replace("FRONT", &front.to_string())
        .replace("RELAY", &relay.port.to_string());
    let _proxy = Proxy::start(Kind::Tandem, &config, admin).await.unwrap();
    // Whoever waits beyond the timeout waits for much longer than `most`.
    for (late, status, [least, most]) in [
        (100, 200, [200, 3000]),
        (20_000, 504, [3000, 8000]),
        (0, 200, [0, 3000]),
    ] {
        // Connections that were made before are not late.
        relay.set(Mode::Closed);
        let gone = wait::until_async(wait::PATIENCE, || async {
            h1::get(front, "/").await.unwrap().0 == 503
        });
        assert!(gone.await);
        relay.set(Mode::Late(Duration::from_millis(late)));
        let begun = Instant::now();
        assert_eq!(h1::get(front, "/").await.unwrap().0, status, "{late} ms");
        let took = begun.elapsed();
        let bounds = Duration::from_millis(least)..Duration::from_millis(most);
        assert!(bounds.contains(&took), "{late} ms: {took:?}");
    }
}
