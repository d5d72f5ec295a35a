//! The application as a child process: its output shown, signals passed on, its exit code
//! kept.

use std::process::ExitStatus;

use tokio::process::{Child, Command};

/// The running application.
#[derive(Debug)]
pub(crate) struct App {
    child: Child,
    name: String,
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
    pub(crate) fn start(command: &[String], env: &[(&str, String)]) -> Result<Self, StartError> {
        let name = command.first().cloned().unwrap_or_default();
        let child = Command::new(&name)
            .args(command.get(1..).unwrap_or_default())
            .envs(env.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| StartError {
                command: name.clone(),
                source,
            })?;
        tracing::info!(command = %name, pid = child.id(), "application started");
        Ok(Self { child, name })
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

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        terminate(&self.child);
    }
}

/// Asks a process to end; one that has ended already needs no asking.
pub(crate) fn terminate(child: &Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw)
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM)
    {
        tracing::warn!(%error, "cannot ask a process to end");
    }
}

/// The exit code of this process for the application's end: its own, or 128 plus the signal
/// that ended it, as shells do.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(1)
}
