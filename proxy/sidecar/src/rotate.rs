//! Log rotation: SIGUSR1 opens the access-log files anew, as Envoy does.

use std::io;

use tandem_stack::access_log::Sinks;
use tokio::signal::unix::{SignalKind, signal};

/// Reopens the files of `logs` at every SIGUSR1, as long as the process runs. Without this the
/// signal would end it.
pub(crate) fn on_signal(logs: Sinks) -> io::Result<()> {
    let mut asked = signal(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        while asked.recv().await.is_some() {
            logs.reopen();
            // What is logged after somebody has read this is in the new files.
            tracing::info!("opening the access-log files anew");
        }
    });
    Ok(())
}
