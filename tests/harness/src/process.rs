//! A child process that ends with its guard.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::wait;

/// How long the pipes of a child that ended may stay open.
const LAST_OUTPUT: Duration = Duration::from_secs(5);

/// A running child: its output is collected, and dropping the guard kills it.
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Mutex<Output>>,
    collectors: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`; `name` is what failures call it.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let output = Arc::<Mutex<Output>>::default();
        let mut collectors = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            collectors.push(collect(pipe, 0, Arc::clone(&output)));
        }
        if let Some(pipe) = child.stderr.take() {
            collectors.push(collect(pipe, 1, Arc::clone(&output)));
        }
        Self {
            name: name.to_owned(),
            child,
            output,
            collectors,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far, standard output and error as they came.
    pub fn output(&self) -> String {
        let output = self.output.lock().unwrap();
        let [one, other] = &output.begun;
        let all = [output.lines.as_slice(), one, other].concat();
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Its exit status, if it ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// After its end: all that it printed, which may be a moment behind its exit.
    pub async fn last_output(&self) -> String {
        // A child of its own may live on and hold the pipes: not for ever.
        wait::until(LAST_OUTPUT, || {
            self.collectors.iter().all(JoinHandle::is_finished)
        })
        .await;
        self.output()
    }

    /// Waits for its end; `None` when `limit` passed first.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait::until(limit, || {
            status = self.exited();
            status.is_some()
        })
        .await;
        status
    }

    /// Waits until its output contains `text`.
    ///
    /// # Panics
    /// When it does not appear within [`wait::PATIENCE`].
    pub async fn wait_for_output(&self, text: &str) {
        let seen = wait::until(wait::PATIENCE, || self.output().contains(text)).await;
        assert!(
            seen,
            "{} never printed {text:?}; it printed:\n{}",
            self.name,
            self.output()
        );
    }

    /// Sends a signal by name, such as `TERM`, `STOP` or `CONT`.
    pub fn signal(&self, signal: &str) {
        self.kill_program(signal, &self.id().to_string());
    }

    /// Sends a signal to all processes of its group, as a terminal does; it must lead one.
    pub fn signal_group(&self, signal: &str) {
        self.kill_program(signal, &format!("-{}", self.id()));
    }

    fn kill_program(&self, signal: &str, to: &str) {
        // The `kill` program: sending a signal by libc would need `unsafe`.
        let mut kill = Command::new("kill");
        let sent = kill.arg(format!("-{signal}")).args(["--", to]).status();
        sent.expect("the program `kill`, of Debian's procps");
    }

    /// Resident memory in KiB, from `/proc`, without what is mapped of files: of the program's code
    /// more or less is in memory, whatever it does. 0 when it ended.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }

    /// Kills it (SIGKILL) and waits for the end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What came on both pipes.
#[derive(Default)]
struct Output {
    /// Whole lines, in the order in which they ended.
    lines: Vec<u8>,
    /// Of each pipe what has no end of a line yet.
    begun: [Vec<u8>; 2],
}

impl Output {
    /// More of a pipe: what the other brings meanwhile does not come into the middle of its lines.
    fn add(&mut self, pipe: usize, bytes: &[u8]) {
        let begun = &mut self.begun[pipe];
        begun.extend_from_slice(bytes);
        if let Some(end) = begun.iter().rposition(|byte| *byte == b'\n') {
            self.lines.extend(begun.drain(..=end));
        }
    }
}

fn collect(
    mut pipe: impl Read + Send + 'static,
    which: usize,
    output: Arc<Mutex<Output>>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read) = pipe.read(&mut buffer) {
            if read == 0 {
                break;
            }
            output.lock().unwrap().add(which, &buffer[..read]);
        }
    })
}
