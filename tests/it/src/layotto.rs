//! Layotto's published npm client, unchanged, against `tandem run`.

use std::process::Command;
use std::time::Duration;

use tandem_harness::{Kind, Process, Proxy, ports, proxy};
use tempfile::TempDir;

/// Everything that the client offers of what is served, with the embedded store: greetings, calls,
/// state, locks, ids, and events that are taken, tried again and dropped.
#[tokio::test]
async fn the_published_client_works_unchanged() {
    let folder = TempDir::new().unwrap();
    let (runtime, callback, admin) = (ports::free(), ports::free(), ports::free());
    let echo = ports::free();
    let bootstrap = BOOTSTRAP
        .replace("OUTBOUND_PORT", &ports::free().to_string())
        .replace("ECHO_PORT", &echo.to_string());
    let config = folder.path().join("bootstrap.yaml");
    std::fs::write(&config, bootstrap).unwrap();
    let mut command = Command::new(Kind::Tandem.binary());
    command
        .args(["run", "--app-id", "orders", "--app-protocol", "grpc"])
        .args([
            "--app-port",
            &callback.to_string(),
            "--runtime-grpc-port",
            &runtime.to_string(),
        ])
        .args(["--admin-port", &admin.to_string()])
        .arg("--config")
        .arg(config)
        .arg("--data-dir")
        .arg(folder.path().join("data"));
    let tandem = Proxy::launch("tandem run", &mut command, folder, admin)
        .await
        .unwrap();

    let modules = proxy::tools().join("js/node_modules");
    assert!(
        modules.join("layotto").exists(),
        "expected {}; tests/run installs it",
        modules.display()
    );
    let script = proxy::workspace().join("tests/it/js/layotto.js");
    let mut node = Command::new("node");
    node.arg(script)
        .args([runtime, callback, echo].map(|port| port.to_string()));
    node.env("NODE_PATH", modules);
    for (name, store) in [
        ("STATE", "statestore"),
        ("LOCK", "lockstore"),
        ("SEQUENCER", "sequencer"),
        ("PUBSUB", "pubsub"),
    ] {
        node.env(name, store);
    }
    let mut client = Process::spawn("node", &mut node);
    let ended = client.wait(Duration::from_secs(60)).await;
    let output = client.last_output().await;
    assert!(
        ended.is_some_and(|status| status.success()),
        "the client: {ended:?}\n{output}\ntandem:\n{}",
        tandem.process.output()
    );
}

/// One service, `echo`.
const BOOTSTRAP: &str = r#"
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
          route_config:
            virtual_hosts:
            - { name: echo, domains: [echo], routes: [{ match: { prefix: / }, route: { cluster: echo } }] }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: echo
    type: STATIC
    load_assignment:
      cluster_name: echo
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ECHO_PORT } } }
"#;
