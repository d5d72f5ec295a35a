//! What ends the process: signals, and the admin server's `/quitquitquit`.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// The signals that end the process.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

/// Asks the process to end (`/quitquitquit`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Quit(Arc<Notify>);

impl Quit {
    /// Asks.
    pub(crate) fn request(&self) {
        self.0.notify_one();
    }

    /// Resolves once asked.
    pub(crate) async fn requested(&self) {
        self.0.notified().await;
    }
}
