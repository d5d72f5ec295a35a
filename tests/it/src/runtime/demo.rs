//! `tandem demo`: every step does what it should, and nothing is left behind.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tandem_harness::{Kind, Process, proxy, wait};
use tempfile::TempDir;

/// The demo's processes and their steps take a while on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Waits until all steps are taken.
async fn until_taken(demo: &Process) {
    let taken = || demo.output().contains("Ctrl-C ends everything");
    assert!(wait::until(PATIENCE, taken).await, "{}", demo.output());
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

/// What is said of each step, in its order.
const STEPS: [&str; 10] = [
    "by plain HTTP",
    "by InvokeService, through the same routes",
    "the route's retries hide it from HTTP",
    "from InvokeService",
    "a fault set in the route table: HTTP is answered 451",
    "InvokeService is told the same",
    "saves state",
    "takes a lock",
    "draws three ids",
    "publishes an event and receives it",
];

/// The steps that did what they should; each says in how many milliseconds.
fn steps(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| line.strip_prefix("  ok "))
        .map(|line| {
            let (time, step) = line.split_once(" ms  ").expect("the time it took");
            let time: f64 = time.trim().parse().expect("a time");
            assert!(time > 0.0, "{line}");
            step
        })
        .collect()
}

#[tokio::test]
async fn once_runs_through_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let mut demo = demo(folder.path(), &["--once"]);
    let status = demo.wait(PATIENCE).await.expect("it ends");
    let said = demo.last_output().await;
    assert!(status.success(), "{status}\n{said}");
    let steps = steps(&said);
    assert_eq!(steps.len(), STEPS.len(), "{said}");
    for (step, words) in steps.iter().zip(STEPS) {
        assert!(step.contains(words), "expected {words:?} in {step:?}");
    }
    assert!(
        said.contains("\n10 of 10 steps did what they should\n"),
        "{said}"
    );
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert_empty(folder.path());
}

/// Each line that it ends with works as it stands, and answers what the steps have shown.
#[tokio::test]
async fn the_lines_to_try_next_work() {
    let folder = TempDir::new().unwrap();
    let mut demo = demo(folder.path(), &[]);
    until_taken(&demo).await;
    let said = demo.output();
    let (_, rest) = said.split_once("Try next:\n").expect("it says so");
    let (lines, _) = rest.split_once("\n\n").expect("an empty line ends them");
    let lines = lines.replace("\\\n", "");
    let lines: Vec<&str> = lines.lines().map(str::trim).collect();
    assert_eq!(lines.len(), ANSWERS.len(), "{lines:#?}");
    for (line, (program, answer)) in lines.into_iter().zip(ANSWERS) {
        assert!(line.starts_with(program), "expected {program} in {line:?}");
        let output = shell(line);
        assert!(
            output.contains(answer),
            "{line}: expected {answer:?} in\n{output}"
        );
    }
    demo.signal("INT");
    assert!(demo.wait(wait::PATIENCE).await.is_some());
}

/// What the lines begin with, in their order, and what must be in what they print.
const ANSWERS: [(&str, &str); 8] = [
    ("curl", "HTTP/1.1 200 OK"),
    ("curl", "x-envoy-attempt-count: 3"),
    ("curl", "HTTP/1.1 451 "),
    ("curl", "stock::"),
    ("curl", "cluster.stock.upstream_rq_total"),
    ("grpcurl", "\"data\""),
    ("grpcurl", "\"dHdvIGFwcGxlcw==\""), // "two apples"
    ("grpcurl", "spec.proto.runtime.v1.Runtime"),
];

/// Runs a line as a reader would; grpcurl is where `tests/run` puts it.
fn shell(line: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let tools = proxy::tools().join("bin");
    let output = Command::new("sh")
        .args(["-c", line])
        .env("PATH", format!("{}:{path}", tools.display()))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{line}: {}\n{said}", output.status);
    said
}

/// Ctrl-C is how the demo is meant to end: it exits as its steps deserve, whoever is told.
#[tokio::test]
async fn a_signal_ends_everything() {
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        for terminal in [false, true] {
            let folder = TempDir::new().unwrap();
            let mut demo = demo(folder.path(), &[]);
            until_taken(&demo).await;
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
        // Where the signal was late, because only its sender stood still, the next one is early.
        let mut told = false;
        for _ in 0..10 {
            told = told || is_told(signal, expected).await;
        }
        assert!(told, "{signal} was always late");
    }
}

/// Whether the signal came before all steps were taken.
async fn is_told(signal: &str, expected: i32) -> bool {
    let folder = TempDir::new().unwrap();
    let mut demo = demo(folder.path(), &[]);
    let own = folder.path().join(format!("tandem-demo-{}", demo.id()));
    let begun = wait::until(wait::PATIENCE, || own.join("stock.yaml").exists()).await;
    assert!(begun, "{}", demo.output());
    demo.signal_group(signal);
    let status = demo.wait(wait::PATIENCE).await.expect("it ends");
    let said = demo.last_output().await;
    let early = !said.contains("Ctrl-C ends everything");
    let expected = if early { expected } else { 0 };
    assert_eq!(status.code(), Some(expected), "{signal} {status}\n{said}");
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert_empty(folder.path());
    early
}
