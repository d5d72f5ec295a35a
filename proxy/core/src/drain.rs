//! Telling everything that runs to finish, and knowing when it has.

use tokio::sync::{mpsc, watch};

/// What everything that serves should be doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serve.
    #[default]
    Running,
    /// Go on, but ask clients to go elsewhere with the next answer.
    Leaving,
    /// Take no new connections; finish what runs, asking clients to go elsewhere.
    Draining,
    /// Stop now.
    Closing,
}

/// The end that says when to drain.
#[derive(Debug)]
pub struct Signal {
    phase: watch::Sender<Phase>,
    idle: mpsc::Receiver<()>,
}

/// The end that obeys. Holding one keeps [`Signal::idle`] waiting.
#[derive(Clone, Debug)]
pub struct Watch {
    phase: watch::Receiver<Phase>,
    _busy: mpsc::Sender<()>,
}

/// Both ends.
pub fn channel() -> (Signal, Watch) {
    let (phase, phase_rx) = watch::channel(Phase::Running);
    let (busy, idle) = mpsc::channel(1);
    (
        Signal { phase, idle },
        Watch {
            phase: phase_rx,
            _busy: busy,
        },
    )
}

impl Signal {
    /// Moves to a phase; phases never go back.
    pub fn set(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }

    /// Resolves when every [`Watch`] is gone.
    pub async fn idle(&mut self) {
        while self.idle.recv().await.is_some() {}
    }
}

impl Watch {
    /// The phase now.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Resolves once the phase is `phase` or later; also when the signal is gone.
    pub async fn reached(&mut self, phase: Phase) {
        let _ = self.phase.wait_for(|current| *current >= phase).await;
    }
}
