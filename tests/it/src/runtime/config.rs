//! `tandem run --config FILE -- COMMAND`: what is wrong is told before the application starts.

use std::process::Command;

use tandem_harness::{Kind, Process, ports, wait};
use tempfile::TempDir;

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
          stat_prefix: PREFIX
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - { name: any, domains: ["*"], routes: [ { match: { prefix: / }, direct_response: { status: 200 } } ] }
"#;

/// Its exit code, and what the sidecar and its application said.
async fn run(text: Option<&str>, app: &str) -> (Option<i32>, String) {
    let (folder, outbound) = (TempDir::new().unwrap(), ports::free().to_string());
    if let Some(text) = text {
        let text = text.replace("PREFIX", "outbound");
        let text = text.replace("OUTBOUND_PORT", &outbound);
        std::fs::write(folder.path().join("mesh.yaml"), text).unwrap();
    }
    let mut command = Command::new(Kind::Tandem.binary());
    command
        .args(["run", "--app-id", "orders", "--data-dir", "data"])
        .args(["--runtime-grpc-port", &ports::free().to_string()])
        .args(["--admin-port", &ports::free().to_string()])
        .args(["--config", "mesh.yaml", "--", "sh", "-c", app])
        .env("OUTBOUND_PORT", outbound)
        .current_dir(folder.path());
    let mut process = Process::spawn("tandem run", &mut command);
    let status = process.wait(wait::PATIENCE).await.expect("it ends");
    (status.code(), process.last_output().await)
}

#[tokio::test]
async fn what_is_wrong_is_told_before_the_application_starts() {
    let unknown = BOOTSTRAP.replace("PREFIX", "outbound\n          nonsense: 1");
    let answers = "direct_response: { status: 200 }";
    let dangling = BOOTSTRAP.replace(answers, "route: { cluster: nobody }");
    for (text, expected) in [
        (None, "cannot read 'mesh.yaml': No such file or directory"),
        (Some(&*unknown), "has no such field (mesh.yaml:13:11)"),
        (Some(&*dangling), "'nobody'"),
    ] {
        let (code, said) = run(text, "echo app runs").await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with("tandem: "), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("app runs"), "{said}");
    }
}

#[tokio::test]
async fn the_application_finds_the_mesh_of_the_file() {
    let asks = r#"curl -s -w "app heard %{http_code}" "http://127.0.0.1:$OUTBOUND_PORT/""#;
    let (code, said) = run(Some(BOOTSTRAP), asks).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("app heard 200"), "{said}");
}
