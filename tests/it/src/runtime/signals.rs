//! `tandem run … -- COMMAND`: signals reach the application as they are, and its exit code is
//! the sidecar's.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use tandem_harness::{Process, wait};
use tempfile::TempDir;

use super::sidecar::Sidecar;

/// An application that tells every signal, and ends with 40 at one whose name is given.
const TELLS: &str = r#"
import os, signal, sys, time
ends = sys.argv[1:]
def told(number, _):
    name = signal.Signals(number).name[3:]
    os.write(1, ("app heard %s\n" % name).encode())
    if name in ends:
        os._exit(40)
for name in ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"]:
    signal.signal(getattr(signal, "SIG" + name), told)
os.write(2, b"app complains\n")
os.write(1, b"app runs\n")
while True:
    time.sleep(0.1)
"#;

/// `tandem run` with an application, in a process group of its own.
fn run(folder: &TempDir, drain: &str, app: &[&str]) -> Process {
    let (mut command, _) = Sidecar::command(folder.path(), &["--drain-time-s", drain]);
    command.arg("--").args(app).process_group(0);
    Process::spawn("tandem run", &mut command)
}

fn count(output: &str, line: &str) -> usize {
    output.lines().filter(|other| *other == line).count()
}

/// Each signal arrives once, as itself, whether it is sent to the sidecar or to its group.
#[tokio::test]
async fn signals_reach_the_application_as_they_are() {
    for signal in ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"] {
        for group in [false, true] {
            let folder = TempDir::new().unwrap();
            let mut app = run(&folder, "20", &["python3", "-c", TELLS, "TERM", signal]);
            app.wait_for_output("app runs").await;
            match group {
                true => app.signal_group(signal),
                false => app.signal(signal),
            }
            let status = app.wait(wait::PATIENCE).await.expect("it ends");
            let said = app.last_output().await;
            let heard = count(&said, &format!("app heard {signal}"));
            let all = said.matches("app heard").count();
            assert_eq!((heard, all), (1, 1), "{signal} {group}\n{said}");
            assert_eq!(status.code(), Some(40), "{signal} {group}\n{said}");
            assert_eq!(count(&said, "app complains"), 1, "{said}");
        }
    }
}

/// The exit code is the application's own, however it ends.
#[tokio::test]
async fn the_exit_code_is_the_applications() {
    let tells = ["python3", "-c", TELLS].as_slice();
    let sleeps = ["sleep", "600"].as_slice();
    for (app, signal, expected) in [
        (["sh", "-c", "echo app runs; exit 0"].as_slice(), None, 0),
        (&["sh", "-c", "exit 7"], None, 7),
        (&["sh", "-c", "kill -SEGV $$"], None, 139),
        (sleeps, Some("HUP"), 129),
        (sleeps, Some("INT"), 130),
        (sleeps, Some("QUIT"), 131),
        (sleeps, Some("TERM"), 143),
        (sleeps, Some("USR1"), 138),
        (sleeps, Some("USR2"), 140),
        // It ignores what ends others: killed when the drain time is over.
        (tells, Some("TERM"), 137),
        (tells, Some("HUP"), 137),
    ] {
        let folder = TempDir::new().unwrap();
        // Only who is to be killed has little time: others might be killed before they end.
        let drain = if expected == 137 { "1" } else { "20" };
        let mut sidecar = run(&folder, drain, app);
        if let Some(signal) = signal {
            sidecar.wait_for_output("application started").await;
            if app == tells {
                sidecar.wait_for_output("app runs").await;
            }
            sidecar.signal(signal);
        }
        let status = sidecar.wait(wait::PATIENCE).await.expect("it ends");
        let said = sidecar.last_output().await;
        assert_eq!(status.code(), Some(expected), "{app:?} {signal:?}\n{said}");
    }
}

/// While the application takes its time, it hears what comes, and SIGUSR1 and SIGUSR2 do not
/// begin its end.
#[tokio::test]
async fn later_signals_are_passed_on_too() {
    let folder = TempDir::new().unwrap();
    let mut app = run(&folder, "20", &["python3", "-c", TELLS, "QUIT"]);
    app.wait_for_output("app runs").await;
    let told = |line: &str| count(&app.output(), line);
    for signal in ["USR1", "USR2", "USR1", "TERM", "HUP", "USR2", "INT", "QUIT"] {
        if signal == "TERM" {
            assert!(!app.output().contains("ending"), "{}", app.output());
        }
        let line = format!("app heard {signal}");
        let before = told(&line);
        app.signal(signal);
        let heard = wait::until(wait::PATIENCE, || told(&line) > before).await;
        assert!(heard, "{}", app.output());
    }
    let status = app.wait(wait::PATIENCE).await.expect("it ends");
    assert_eq!(status.code(), Some(40), "{}", app.output());
}

/// At a terminal the application may read, Ctrl-C reaches it once, and a signal that somebody
/// sends to the sidecar is passed on all the same.
#[tokio::test]
async fn at_a_terminal_nothing_comes_twice() {
    const READS: &str = r#"
import signal, sys, time
heard = []
signal.signal(signal.SIGINT, lambda *_: (heard.append(1), print("app heard INT", flush=True)))
def ends(*_):
    print("app heard INT %d times" % len(heard), flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, ends)
print("app read " + input(), flush=True)
while True:
    time.sleep(0.1)
"#;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("app.py"), READS).unwrap();
    let (inner, _) = Sidecar::command(folder.path(), &["--drain-time-s", "20"]);
    let mut line = format!("exec {}", inner.get_program().display());
    for argument in inner.get_args() {
        line.push_str(&format!(" {}", argument.display()));
    }
    line.push_str(&format!(" -- python3 {}/app.py", folder.path().display()));
    let pid = folder.path().join("pid");
    let line = format!("echo $$ > {}; {line}", pid.display());
    let output = folder.path().join("output");
    // The terminal is that of `script`.
    let mut script = Command::new("script")
        .args(["-qefc", &line])
        .arg(&output)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut terminal = script.stdin.take().unwrap();
    let said = || std::fs::read_to_string(&output).unwrap_or_default();
    let says = async |text: &str| {
        let seen = wait::until(wait::PATIENCE, || said().contains(text)).await;
        assert!(seen, "never {text:?}:\n{}", said());
    };
    says("application started").await;
    terminal.write_all(b"hello\n").unwrap();
    says("app read hello").await;
    terminal.write_all(b"\x03").unwrap();
    says("app heard INT").await;
    says("ending").await;
    // Sent, not typed.
    let pid = std::fs::read_to_string(&pid).unwrap();
    let sent = Command::new("kill").args(["-INT", pid.trim()]).status();
    assert!(sent.unwrap().success());
    // No end of a line is asked for: a terminal may show another process's line before it.
    let twice = || said().matches("app heard INT").count() == 2;
    assert!(wait::until(wait::PATIENCE, twice).await, "{}", said());
    let sent = Command::new("kill").args(["-TERM", pid.trim()]).status();
    assert!(sent.unwrap().success());
    says("app heard INT 2 times").await;
    let status = tokio::task::spawn_blocking(move || script.wait().unwrap());
    assert_eq!(status.await.unwrap().code(), Some(3), "{}", said());
    drop(terminal);
}
