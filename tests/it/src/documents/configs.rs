//! Examples of configuration: what is shown as accepted is accepted, what is shown as refused
//! is refused with the words shown.

use std::process::Command;

use tandem_harness::redis::Redis;
use tandem_harness::{Kind as Binary, Proxy, ports};
use tempfile::TempDir;

use super::blocks::Kind;
use super::of;

/// Whether `tandem validate` accepts it, and what it says.
fn validate(bootstrap: &str) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("bootstrap.yaml"), bootstrap).unwrap();
    std::fs::create_dir(folder.path().join("components")).unwrap();
    let output = Command::new(Binary::Tandem.binary())
        .args(["validate", "-c", "bootstrap.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

#[test]
fn bootstraps_are_accepted() {
    for block in of(Kind::Bootstrap) {
        let (accepted, said) = validate(&block.text);
        assert!(accepted, "{}: {said}", block.place);
    }
}

#[test]
fn mistakes_are_refused_in_the_words_shown() {
    for block in of(Kind::Refused) {
        let (accepted, said) = validate(&block.text);
        assert!(!accepted, "{}: accepted", block.place);
        let prints = block.prints.unwrap_or_default();
        assert!(!prints.is_empty(), "{}: no text follows", block.place);
        for line in prints.lines() {
            assert!(said.contains(line), "{}: {line}\n{said}", block.place);
        }
    }
}

#[test]
fn filters_are_accepted() {
    for block in of(Kind::HttpFilter) {
        let indented: String = block
            .text
            .lines()
            .enumerate()
            .map(|(number, line)| {
                let mark = if number == 0 { "- " } else { "  " };
                format!("          {mark}{line}\n")
            })
            .collect();
        let bootstrap = BOOTSTRAP.replace("          FILTER\n", &indented);
        let (accepted, said) = validate(&bootstrap);
        assert!(accepted, "{}: {said}\n{bootstrap}", block.place);
    }
}

const BOOTSTRAP: &str = r#"
static_resources:
  listeners:
  - name: outbound
    traffic_direction: OUTBOUND
    address: { socket_address: { address: 127.0.0.1, port_value: 15001 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: example
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }
          http_filters:
          FILTER
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
"#;

#[tokio::test]
async fn components_are_loaded_and_ready() {
    let redis = Redis::start().await;
    for block in of(Kind::Component) {
        let folder = TempDir::new().unwrap();
        let components = folder.path().join("components");
        std::fs::create_dir(&components).unwrap();
        let text = block.text.replace(":6379", &format!(":{}", redis.port()));
        std::fs::write(components.join("component.yaml"), text).unwrap();
        let admin = ports::free();
        let mut command = Command::new(Binary::Tandem.binary());
        command
            .args(["run", "--app-id", "orders", "--resources-path"])
            .arg(&components)
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .args(["--admin-port", &admin.to_string()])
            .args(["--runtime-grpc-port", &ports::free().to_string()])
            .args(["--outbound-port", &ports::free().to_string()]);
        let tandem = Proxy::launch("tandem run", &mut command, folder, admin)
            .await
            .unwrap_or_else(|said| panic!("{}: {said}", block.place));
        tandem.process.wait_for_output("component ready").await;
    }
}
