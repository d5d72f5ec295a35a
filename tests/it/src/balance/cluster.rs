//! One listener, one route, one cluster `c`, in one process with one worker.

use tandem_harness::client::h1;
use tandem_harness::{Kind, Proxy, ports, wait};

/// The process and its listener.
pub struct Cluster {
    proxy: Proxy,
    /// The listener's port.
    pub port: u16,
}

impl Cluster {
    /// `fields` are the cluster's own, one a line; the endpoints are ports with their weights.
    pub async fn start(fields: &str, endpoints: &[(u16, u32)]) -> Self {
        Self::start_as(Kind::Tandem, fields, &locality(endpoints)).await
    }

    /// `localities` is the list of the assignment's endpoints; if it is empty there is no
    /// assignment.
    pub async fn start_as(kind: Kind, fields: &str, localities: &str) -> Self {
        let [port, admin] = [ports::free(), ports::free()];
        let indent = |text: &str, by: &str| text.trim().replace('\n', &format!("\n{by}"));
        let bootstrap = BOOTSTRAP
            .replace("LISTENER_PORT", &port.to_string())
            .replace("ADMIN_PORT", &admin.to_string())
            .replace("FIELDS", &indent(fields, "    "))
            .replace("LOCALITIES", &indent(localities, "      "));
        let bootstrap = match localities {
            "" => bootstrap.split(ASSIGNMENT).next().unwrap(),
            _ => &bootstrap,
        };
        let proxy = Proxy::start(kind, bootstrap, admin).await.unwrap();
        Self { proxy, port }
    }

    /// Makes `count` requests, one after the other.
    pub async fn call(&self, count: usize) {
        for _ in 0..count {
            h1::get(self.port, "/").await.unwrap();
        }
    }

    /// A statistic of the cluster; 0 if nothing was counted yet.
    pub async fn stat(&self, name: &str) -> u64 {
        let page = self.proxy.admin("/stats").await;
        let name = format!("cluster.c.{name}: ");
        page.lines()
            .find_map(|line| line.strip_prefix(&name)?.parse().ok())
            .unwrap_or(0)
    }

    /// The addresses of its hosts, as `/clusters` shows them, sorted.
    pub async fn hosts(&self) -> Vec<String> {
        let page = self.proxy.admin("/clusters").await;
        let mut hosts: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("c::")?.split_once("::hostname::"))
            .map(|(address, _)| address.to_owned())
            .collect();
        hosts.sort();
        hosts
    }

    /// Waits until a statistic has this value.
    pub async fn until_stat(&self, name: &str, value: u64) {
        let reached =
            wait::until_async(wait::PATIENCE, || async { self.stat(name).await == value });
        assert!(
            reached.await,
            "{name}: expected {value}, got {}",
            self.stat(name).await
        );
    }
}

/// One locality of these ports with their weights.
pub fn locality(endpoints: &[(u16, u32)]) -> String {
    let endpoints: String = endpoints
        .iter()
        .map(|(port, weight)| {
            ENDPOINT
                .replace("PORT", &port.to_string())
                .replace("WEIGHT", &weight.to_string())
        })
        .collect();
    format!("- lb_endpoints:{endpoints}")
}

const ENDPOINT: &str = "
  - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: PORT } } }
    load_balancing_weight: WEIGHT";

const ASSIGNMENT: &str = "    load_assignment:";

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
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              include_request_attempt_count: true
              routes:
              - match: { prefix: /retried }
                route: { cluster: c, retry_policy: { retry_on: 5xx, num_retries: 1, retry_back_off: { base_interval: 0.001s } } }
              - match: { prefix: /avoiding }
                route:
                  cluster: c
                  retry_policy:
                    retry_on: 5xx
                    num_retries: 2
                    retry_back_off: { base_interval: 0.001s }
                    host_selection_retry_max_attempts: 50
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config: { "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate }
              - match: { prefix: /held }
                route: { cluster: c, timeout: 0s }
              - match: { prefix: / }
                route: { cluster: c }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: c
    connect_timeout: 1s
    FIELDS
    load_assignment:
      cluster_name: c
      endpoints:
      LOCALITIES
"#;
