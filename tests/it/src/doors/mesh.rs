//! One bootstrap, one process: a listener that traffic is taken to, and one with the runtime API.

use tandem_harness::{Kind, Proxy, ports};
use tempfile::TempDir;

use super::backend::Backend;

/// What the bootstrap says of the route.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Percent of the calls that go to the second version.
    pub second: u32,
    /// Percent of the calls that are aborted with 418.
    pub aborted: u32,
}

/// A mesh with its services.
pub struct Mesh {
    /// The process.
    pub tandem: Proxy,
    /// The port that traffic is taken to.
    pub outbound: u16,
    /// The port of the runtime API.
    pub runtime: u16,
    /// The endpoint that only fails.
    pub sick: Backend,
    _well: [Backend; 3],
}

impl Mesh {
    /// Two versions of `shop`: the first with two endpoints that are mostly well and one that
    /// never is, the second with one.
    pub async fn start(rules: Rules) -> Self {
        let well = [
            Backend::start("v1", 10).await,
            Backend::start("v1", 10).await,
            Backend::start("v2", 10).await,
        ];
        let sick = Backend::start("sick", 1).await;
        let [outbound, runtime, admin] = [ports::free(), ports::free(), ports::free()];
        let bootstrap = BOOTSTRAP
            .replace("OUTBOUND_PORT", &outbound.to_string())
            .replace("RUNTIME_PORT", &runtime.to_string())
            .replace("ADMIN_PORT", &admin.to_string())
            .replace("ABORTED", &rules.aborted.to_string())
            .replace("SECOND", &rules.second.to_string())
            .replace("FIRST", &(100 - rules.second).to_string())
            .replace("V1_A", &well[0].port.to_string())
            .replace("V1_B", &well[1].port.to_string())
            .replace("V1_SICK", &sick.port.to_string())
            .replace("V2_A", &well[2].port.to_string());
        let folder = TempDir::new().unwrap();
        let bootstrap = bootstrap.replace("FOLDER", &folder.path().display().to_string());
        let config = folder.path().join("bootstrap.yaml");
        std::fs::write(&config, bootstrap).unwrap();
        let mut command = Kind::Tandem.command(&config);
        let tandem = Proxy::launch("tandem", &mut command, folder, admin)
            .await
            .unwrap();
        Self {
            tandem,
            outbound,
            runtime,
            sick,
            _well: well,
        }
    }
}

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN_PORT } } }
static_resources:
  listeners:
  - name: outbound
    traffic_direction: OUTBOUND
    address: { socket_address: { address: 127.0.0.1, port_value: OUTBOUND_PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: outbound
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: FOLDER/access.log
              log_format:
                json_format:
                  method: "%REQ(:METHOD)%"
                  path: "%REQ(:PATH)%"
                  authority: "%REQ(:AUTHORITY)%"
                  asked: "%REQ(x-asked)%"
                  status: "%RESPONSE_CODE%"
                  flags: "%RESPONSE_FLAGS%"
                  details: "%RESPONSE_CODE_DETAILS%"
                  route: "%ROUTE_NAME%"
                  cluster: "%UPSTREAM_CLUSTER%"
                  received: "%BYTES_RECEIVED%"
                  sent: "%BYTES_SENT%"
                  version: "%RESP(x-version)%"
          route_config:
            virtual_hosts:
            - name: shop
              domains: [shop]
              routes:
              - name: split
                match: { prefix: / }
                response_headers_to_add: [{ header: { key: x-version, value: "%UPSTREAM_CLUSTER%" } }]
                route:
                  retry_policy: { retry_on: "5xx", num_retries: 10, retry_back_off: { base_interval: 0.001s, max_interval: 0.002s } }
                  weighted_clusters:
                    clusters: [{ name: v1, weight: FIRST }, { name: v2, weight: SECOND }]
          http_filters:
          - name: envoy.filters.http.fault
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
              abort: { http_status: 418, percentage: { numerator: ABORTED } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  - name: runtime
    address: { socket_address: { address: 127.0.0.1, port_value: RUNTIME_PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: runtime
          route_config:
            virtual_hosts:
            - { name: none, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 404 } }] }
          http_filters:
          - name: tandem.filters.http.runtime
            typed_config:
              "@type": type.googleapis.com/tandem.filter.runtime.v1.Runtime
              app: { app_id: caller }
              data_dir: FOLDER/data
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: v1
    type: STATIC
    connect_timeout: 1s
    circuit_breakers: { thresholds: [{ max_retries: 100 }] }
    lb_policy: ROUND_ROBIN
    outlier_detection: { consecutive_5xx: 5, enforcing_consecutive_5xx: 100, base_ejection_time: 300s, max_ejection_percent: 50, enforcing_success_rate: 0 }
    load_assignment:
      cluster_name: v1
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: V1_A } } }
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: V1_B } } }
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: V1_SICK } } }
  - name: v2
    type: STATIC
    connect_timeout: 1s
    circuit_breakers: { thresholds: [{ max_retries: 100 }] }
    load_assignment:
      cluster_name: v2
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: V2_A } } }
"#;
