//! Examples of programs, run with Layotto's published client.

use std::path::Path;
use std::process::Command;

use tandem_harness::{Kind as Binary, Proxy, ports, proxy};
use tempfile::TempDir;

use super::blocks::Kind;
use super::of;

/// The default ports, and the ones that this test's `tandem run` has instead.
struct Ports {
    outbound: u16,
    runtime: u16,
    admin: u16,
}

impl Ports {
    fn apply(&self, text: &str) -> String {
        text.replace("15001", &self.outbound.to_string())
            .replace("34904", &self.runtime.to_string())
            .replace("15000", &self.admin.to_string())
    }
}

/// A free port, and none of those that the examples name: it would be replaced once more. (34904 is
/// above all that are free.)
fn free() -> u16 {
    let mut found = std::iter::repeat_with(ports::free);
    found.find(|port| ![15000, 15001].contains(port)).unwrap()
}

async fn tandem() -> (Proxy, Ports) {
    let folder = TempDir::new().unwrap();
    let ports = Ports {
        outbound: free(),
        runtime: free(),
        admin: free(),
    };
    let mut command = Command::new(Binary::Tandem.binary());
    command
        .args(["run", "--app-id", "orders", "--data-dir"])
        .arg(folder.path().join("data"))
        .args(["--outbound-port", &ports.outbound.to_string()])
        .args(["--runtime-grpc-port", &ports.runtime.to_string()])
        .args(["--admin-port", &ports.admin.to_string()]);
    let admin = ports.admin;
    let tandem = Proxy::launch("tandem run", &mut command, folder, admin).await;
    (tandem.unwrap(), ports)
}

/// The programs of the JavaScript examples run, with Layotto's published client.
#[tokio::test]
async fn programs_run() {
    let (tandem, ports) = tandem().await;
    let modules = proxy::tools().join("js/node_modules");
    for block in of(Kind::JavaScript) {
        let script = tandem.folder.path().join("example.js");
        std::fs::write(&script, ports.apply(&block.text)).unwrap();
        let output = node(&script, &modules);
        assert!(
            output.status.success(),
            "{}: {}",
            block.place,
            String::from_utf8_lossy(&output.stderr)
        );
        let prints = block.prints.unwrap_or_default();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.trim(), prints.trim(), "{}", block.place);
    }
}

fn node(script: &Path, modules: &Path) -> std::process::Output {
    let mut node = Command::new("node");
    node.arg(script).env("NODE_PATH", modules);
    node.output().unwrap()
}
