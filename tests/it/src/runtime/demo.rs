//! `tandem demo`: every step does what it should, and nothing is left behind.

use std::path::Path;
use std::process::Command;

use tandem_harness::{Kind, Process, wait};
use tempfile::TempDir;

/// The demo, with its temporary files in `folder`.
fn demo(folder: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(Kind::Tandem.binary());
    command
        .arg("demo")
        .args(arguments)
        .current_dir(folder)
        .env("TMPDIR", folder);
    Process::spawn("tandem demo", &mut command)
}

fn assert_empty(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Processes whose temporary files would be in `folder`.
fn processes_of(folder: &Path) -> Vec<String> {
    let mark = format!("TMPDIR={}", folder.display());
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let environment = std::fs::read(path.join("environ")).ok()?;
            let environment = String::from_utf8_lossy(&environment).into_owned();
            environment
                .contains(&mark)
                .then(|| path.display().to_string())
        })
        .collect()
}

#[tokio::test]
async fn once_runs_through_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let mut demo = demo(folder.path(), &["--once"]);
    let status = demo.wait(wait::PATIENCE).await.expect("it ends");
    assert!(status.success(), "{status}\n{}", demo.output());
    let said = demo.output();
    for step in [
        "InvokeService",
        "fault",
        "retr",
        "state",
        "lock",
        "id",
        "event",
    ] {
        assert!(said.contains(step), "expected {step:?} in\n{said}");
    }
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert_empty(folder.path());
}

#[tokio::test]
async fn an_interrupt_ends_everything() {
    let folder = TempDir::new().unwrap();
    let mut demo = demo(folder.path(), &[]);
    demo.wait_for_output("curl").await;
    demo.signal("INT");
    let status = demo.wait(wait::PATIENCE).await.expect("it ends");
    assert!(status.code().is_some(), "{status}\n{}", demo.output());
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert_empty(folder.path());
}
