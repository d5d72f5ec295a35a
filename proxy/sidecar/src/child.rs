//! The application as a child process: its output shown, signals passed on, its exit code
//! kept.

use std::io::IsTerminal as _;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::shutdown::Heard;

/// The running application.
#[derive(Debug)]
pub(crate) struct App {
    child: Child,
    name: String,
    /// Whether what a terminal sends to this process goes to the application too.
    shares_terminal: bool,
}

/// Why the application did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the application '{command}': {source}")]
pub(crate) struct StartError {
    command: String,
    source: std::io::Error,
}

impl App {
    /// Starts it with the sidecar's addresses in its environment.
    ///
    /// Output and input are inherited, so that what it prints is shown as it is. The variables
    /// are those that Layotto's and Dapr's clients read.
    ///
    /// It has a process group of its own, so that what is sent to the sidecar's group reaches
    /// it once: passed on. Only at a terminal it shares the group, because no other may read
    /// from there; what the terminal sends is then not passed on.
    pub(crate) fn start(command: &[String], env: &[(&str, String)]) -> Result<Self, StartError> {
        let name = command.first().cloned().unwrap_or_default();
        let shares_terminal = std::io::stdin().is_terminal() && is_in_foreground();
        let mut started = Command::new(&name);
        started
            .args(command.get(1..).unwrap_or_default())
            .envs(env.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        if !shares_terminal {
            started.process_group(0);
        }
        let child = started.spawn().map_err(|source| StartError {
            command: name.clone(),
            source,
        })?;
        tracing::info!(command = %name, pid = child.id(), "application started");
        Ok(Self {
            child,
            name,
            shares_terminal,
        })
    }

    /// Waits for it to end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match self.child.wait().await {
            Ok(status) => {
                tracing::info!(command = %self.name, %status, "application ended");
                status
            }
            Err(error) => {
                tracing::error!(command = %self.name, %error, "cannot wait for the application");
                ExitStatus::default()
            }
        }
    }

    /// Passes a signal on, unless the terminal has sent it to the application already.
    pub(crate) fn pass_on(&self, heard: Heard) {
        if !(heard.by_terminal && self.shares_terminal) {
            send(&self.child, heard.signal);
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        terminate(&self.child);
    }

    /// Ends it, with the processes that it started in its group, whether it wants to or not.
    pub(crate) fn kill(&self) {
        tracing::warn!(command = %self.name, "the application did not end; killing it");
        match pid(&self.child) {
            Some(pid) if !self.shares_terminal => {
                if let Err(error) = rustix::process::kill_process_group(pid, Signal::KILL) {
                    tracing::warn!(%error, "cannot kill the application's processes");
                }
            }
            _ => send(&self.child, Signal::KILL),
        }
    }
}

/// Asks a process to end; one that has ended already needs no asking.
pub(crate) fn terminate(child: &Child) {
    send(child, Signal::TERM);
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = pid(child)
        && let Err(error) = rustix::process::kill_process(pid, signal)
    {
        tracing::warn!(%error, ?signal, "cannot send a signal to a process");
    }
}

fn pid(child: &Child) -> Option<Pid> {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw)
}

/// Whether this process's group is the one that its terminal listens to.
fn is_in_foreground() -> bool {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may have spaces of its own.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut fields = fields.split_whitespace().skip(2);
    let (group, _session, _terminal) = (fields.next(), fields.next(), fields.next());
    group.is_some() && fields.next() == group
}

/// The exit code of this process for the application's end: its own, or 128 plus the signal
/// that ended it, as shells do.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    u8::try_from(code.unwrap_or(1) & 0xff).unwrap_or(1)
}

/// The exit code of a process that a signal ended, as shells have it.
pub(crate) fn code_of(signal: Signal) -> u8 {
    u8::try_from(128 + signal.as_raw()).unwrap_or(1)
}
