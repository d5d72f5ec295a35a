//! Examples of commands, run where they can be, and read by the real command line otherwise.

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

async fn tandem() -> (Proxy, Ports) {
    let folder = TempDir::new().unwrap();
    let ports = Ports {
        outbound: ports::free(),
        runtime: ports::free(),
        admin: ports::free(),
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

/// Each line of the shell examples is one command.
#[tokio::test]
async fn commands_are_understood() {
    let (_tandem, ports) = tandem().await;
    for block in of(Kind::Shell) {
        for line in block.text.lines() {
            let line = line.split(" # ").next().unwrap_or_default();
            let line = line.trim_end().trim_end_matches('#').trim();
            let place = format!("{}: {line}", block.place);
            match line.split(' ').next().unwrap_or_default() {
                "" => {}
                "curl" => run(&place, &ports.apply(line)),
                "tandem" | "envoy" => parse(&place, line),
                // Tested as such, or slow: the least is that they are there.
                "cargo" => assert!(CARGO.contains(&line), "{place}: not a known command"),
                program => assert!(
                    proxy::workspace().join(program).exists(),
                    "{place}: no such program"
                ),
            }
        }
    }
}

const CARGO: [&str; 4] = [
    "cargo run --release -- demo",
    "cargo run --release -- demo --once",
    "cargo build --release",
    "cargo bench -p tandem-bench-micro",
];

fn run(place: &str, line: &str) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(
        output.status.success(),
        "{place}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whether the command line takes the options: `--help` behind them is only reached if it does.
fn parse(place: &str, line: &str) {
    let line = line.split(" -- ").next().unwrap_or_default();
    let mut words = line.split_whitespace();
    let called = words.next().unwrap_or_default();
    let folder = TempDir::new().unwrap();
    let program = folder.path().join(called);
    std::os::unix::fs::symlink(
        std::path::absolute(Binary::Tandem.binary()).unwrap(),
        &program,
    )
    .unwrap();
    let output = Command::new(&program).args(words).arg("--help").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("Usage"),
        "{place}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
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
