//! `tandem demo`: every step does what it should, and nothing is left behind.

use std::os::unix::process::CommandExt as _;
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
        .env("TMPDIR", folder)
        .process_group(0);
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

/// Ctrl-C is how the demo is meant to end: it exits as its steps deserve, whoever is told.
#[tokio::test]
async fn a_signal_ends_everything() {
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        for terminal in [false, true] {
            let folder = TempDir::new().unwrap();
            let mut demo = demo(folder.path(), &[]);
            demo.wait_for_output("Ctrl-C ends everything").await;
            if terminal {
                demo.signal_group(signal);
            } else {
                demo.signal(signal);
            }
            let status = demo.wait(wait::PATIENCE).await.expect("it ends");
            let said = demo.last_output().await;
            assert_eq!(
                status.code(),
                Some(0),
                "{signal} {terminal} {status}\n{said}"
            );
            assert!(said.ends_with("Ctrl-C ends everything.\n"), "{said}");
            assert_eq!(processes_of(folder.path()), Vec::<String>::new());
            assert_empty(folder.path());
        }
    }
}

/// Ended before its steps are taken, the demo does not say that they are.
#[tokio::test]
async fn an_early_signal_is_told_by_the_exit_code() {
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let folder = TempDir::new().unwrap();
        let mut demo = demo(folder.path(), &[]);
        let own = folder.path().join(format!("tandem-demo-{}", demo.id()));
        let begun = wait::until(wait::PATIENCE, || own.join("stock.yaml").exists()).await;
        assert!(begun, "{}", demo.output());
        demo.signal_group(signal);
        let status = demo.wait(wait::PATIENCE).await.expect("it ends");
        let said = demo.last_output().await;
        assert_eq!(status.code(), Some(expected), "{signal} {status}\n{said}");
        assert_eq!(processes_of(folder.path()), Vec::<String>::new());
        assert_empty(folder.path());
    }
}
