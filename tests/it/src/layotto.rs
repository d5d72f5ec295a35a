//! Layotto's published npm client, unchanged, against `tandem run`.

use std::process::Command;
use std::time::Duration;

use tandem_harness::{Kind, Process, Proxy, ports, proxy};
use tempfile::TempDir;

/// State, lock, sequencer and events with the embedded store, by Layotto's own client and server.
#[tokio::test]
async fn the_published_client_works_unchanged() {
    let folder = TempDir::new().unwrap();
    let (runtime, callback, admin) = (ports::free(), ports::free(), ports::free());
    let mut command = Command::new(Kind::Tandem.binary());
    command
        .args(["run", "--app-id", "orders", "--app-protocol", "grpc"])
        .args([
            "--app-port",
            &callback.to_string(),
            "--runtime-grpc-port",
            &runtime.to_string(),
        ])
        .args([
            "--outbound-port",
            &ports::free().to_string(),
            "--admin-port",
            &admin.to_string(),
        ])
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
        .args([runtime.to_string(), callback.to_string()]);
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
