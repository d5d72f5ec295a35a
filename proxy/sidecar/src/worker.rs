//! Worker threads: each with its own runtime, listeners, pools and services.

use std::io;
use std::thread;
use std::time::Duration;

use tandem_core::directory::Directory;
use tandem_core::drain::{Phase, Watch};
use tandem_stack::Deps;
use tandem_stack::access_log::Sinks;
use tandem_stack::listeners::{Command, Listeners};
use tokio::sync::{mpsc, oneshot};

/// How long a worker that has drained waits for its access-log services …
const LAST_ENTRIES: Duration = Duration::from_secs(2);
/// … and one whose drain time is over: the process waits a second for both this and the lines
/// that are written to files.
const LAST_ENTRIES_CLOSING: Duration = Duration::from_millis(500);

/// A worker, as the control thread sees it.
#[derive(Debug)]
pub(crate) struct Worker {
    /// What its listeners are told.
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    /// Resolves when it has drained, or has cut off what it still served.
    pub(crate) ended: oneshot::Receiver<()>,
}

impl Worker {
    /// Resolves when it has done what it was told so far, or is gone.
    pub(crate) async fn caught_up(&self) {
        let (done, told) = oneshot::channel();
        if self.commands.send(Command::Tell(done)).is_ok() {
            let _ = told.await;
        }
    }
}

/// When a worker ends.
pub(crate) struct Drain {
    /// Both say so when the whole process drains.
    pub(crate) sides: [Watch; 2],
    /// How long connections of what was removed may go on.
    pub(crate) time: Duration,
}

/// Starts a worker that has no listeners yet. `deps` is called on the new thread, within its
/// runtime, so that whatever is per worker is made there.
pub(crate) fn spawn(
    index: usize,
    drain: Drain,
    deps: impl FnOnce(Directory) -> Deps + Send + 'static,
) -> io::Result<Worker> {
    let (done, ended) = oneshot::channel();
    let (commands, inbox) = mpsc::unbounded_channel();
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime,
                Err(error) => {
                    tracing::error!(%error, index, "cannot start a worker's runtime");
                    return;
                }
            };
            let logs = runtime.block_on(serve(inbox, drain, deps));
            // Connections that outlasted the drain are tasks of the runtime: they end with it.
            logs.end_worker(runtime);
            let _ = done.send(());
        })?;
    Ok(Worker { commands, ended })
}

async fn serve(
    mut inbox: mpsc::UnboundedReceiver<Command>,
    drain: Drain,
    deps: impl FnOnce(Directory) -> Deps,
) -> Sinks {
    let deps = deps(Directory::default());
    let (logs, entries) = (deps.logs.clone(), deps.entries.clone());
    let mut listeners = Listeners::new(deps, drain.time);
    let [mut one, mut other] = drain.sides;
    let work = async {
        tokio::select! {
            biased;
            () = async { one.reached(Phase::Draining).await; other.reached(Phase::Draining).await } => {}
            () = obey(&mut listeners, &mut inbox) => {}
        }
        // Who waits to hear that something is served will not hear it.
        drop(inbox);
        listeners.drain();
        tokio::select! {
            () = listeners.drained() => {}
            () = other.reached(Phase::Closing) => {}
        }
        let given_up = async {
            let closing = other.reached(Phase::Closing);
            let _ = tokio::time::timeout(LAST_ENTRIES, closing).await;
            tokio::time::sleep(LAST_ENTRIES_CLOSING).await;
        };
        tokio::select! {
            () = entries.end() => {}
            () = given_up => {}
        }
    };
    tokio::select! {
        () = work => {}
        () = logs.keep_flushing() => {}
    }
    logs
}

/// Does what the listeners are told, for ever.
async fn obey(listeners: &mut Listeners, inbox: &mut mpsc::UnboundedReceiver<Command>) {
    /// More than this many at once would only make them wait longer.
    const BATCH: usize = 1024;
    let mut commands = Vec::new();
    while inbox.recv_many(&mut commands, BATCH).await > 0 {
        listeners.apply(commands.drain(..));
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
