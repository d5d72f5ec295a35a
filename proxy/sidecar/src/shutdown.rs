//! What ends the process: signals, and the admin server's `/quitquitquit`.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// The signals that end the process.
pub(crate) struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    /// Takes the signals over: SIGTERM and SIGINT.
    pub(crate) fn new() -> io::Result<Self> {
        Self::of(&[SignalKind::terminate(), SignalKind::interrupt()])
    }

    /// Those and what else a terminal sends, for a process whose children would outlive it.
    pub(crate) fn with_terminal() -> io::Result<Self> {
        let mut signals = Self::new()?;
        let more = Self::of(&[SignalKind::hangup(), SignalKind::quit()])?;
        signals.0.extend(more.0);
        Ok(signals)
    }

    fn of(kinds: &[SignalKind]) -> io::Result<Self> {
        let signals = kinds.iter().map(|kind| Ok((*kind, signal(*kind)?)));
        signals.collect::<io::Result<_>>().map(Self)
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> SignalKind {
        poll_fn(|cx| {
            for (kind, signal) in &mut self.0 {
                if signal.poll_recv(cx).is_ready() {
                    return Poll::Ready(*kind);
                }
            }
            Poll::Pending
        })
        .await
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
