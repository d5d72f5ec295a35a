//! A listener that is served: its sockets, and its current version.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tandem_core::drain::{Phase, Watch};
use tandem_core::live::Live;
use tandem_core::stats::GaugeGuard;
use tandem_model::Listener;
use tandem_model::matching::Overlap;
use tandem_transport::accept::Acceptor;
use tandem_transport::listen::Listening;

use super::built::Built;
use super::chain::Chain;
use super::{Shared, connection};
use crate::server::Draining;

/// One listener of one worker.
#[derive(Debug)]
pub(crate) struct Active {
    built: Live<Built>,
    /// Ends the accepting from the sockets that it has now.
    accepting: Mutex<Arc<Draining>>,
    /// Chains that were built anew for another reason than a change of their own: their
    /// connections stay until the process drains.
    left: Mutex<Vec<Weak<Chain>>>,
}

impl Active {
    pub(super) fn new(listener: Arc<Listener>, shared: &Shared) -> Result<Self, Overlap> {
        Ok(Self {
            built: Live::new(Built::new(listener, None, shared)?),
            accepting: Mutex::default(),
            left: Mutex::default(),
        })
    }

    /// The version that new connections get.
    pub(super) fn built(&self) -> Arc<Built> {
        self.built.get()
    }

    /// Publishes another version; connections of chains that are not in it finish.
    pub(super) fn replace(&self, listener: Arc<Listener>, shared: &Shared) -> Result<(), Overlap> {
        let before = self.built.get();
        let after = Built::new(listener, Some(&before), shared)?;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|chain| chain.strong_count() > 0);
        for chain in before.chains() {
            let mut chains = after.chains();
            if chains.any(|new| Arc::ptr_eq(new, chain)) {
                continue;
            }
            if after.chains().any(|new| new.config == chain.config) {
                left.push(Arc::downgrade(chain));
            } else {
                chain.retire(shared.drain_time, None);
            }
        }
        drop(left);
        self.built.publish(after);
        Ok(())
    }

    /// Accepts connections from these sockets.
    pub(super) fn accept_from(self: &Arc<Self>, sockets: Vec<Listening>, shared: &Arc<Shared>) {
        let stop = Arc::new(Draining::default());
        *self
            .accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::clone(&stop);
        for socket in sockets {
            match Acceptor::new(socket) {
                Ok(acceptor) => {
                    let (active, shared) = (Arc::clone(self), Arc::clone(shared));
                    let counted = shared.acceptors.one();
                    let accept = active.accept(acceptor, Arc::clone(&stop), shared);
                    tokio::spawn(async move {
                        accept.await;
                        drop(counted);
                    });
                }
                Err(error) => {
                    let listener = &self.built().listener;
                    tracing::error!(listener = %listener.name, %error, "cannot accept connections");
                }
            }
        }
    }

    async fn accept(
        self: Arc<Self>,
        mut acceptor: Acceptor,
        stop: Arc<Draining>,
        shared: Arc<Shared>,
    ) {
        let mut stopped = std::pin::pin!(stop.is_asked());
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = &mut stopped => break,
                accepted = acceptor.accept() => accepted,
            };
            connection::admit(&self.built, stream, peer, &shared);
        }
        // Clients that the system has already let in would see a reset.
        let most = self.built().listener.tcp_backlog_size;
        for (stream, peer) in acceptor.into_waiting(most) {
            connection::admit(&self.built, stream, peer, &shared);
        }
    }

    /// Accepts no more.
    pub(super) fn stop_accepting(&self) {
        let accepting = self.accepting.lock();
        accepting.unwrap_or_else(PoisonError::into_inner).start();
    }

    /// Accepts no more, and asks all connections to finish.
    pub(super) fn drain(&self) {
        self.stop_accepting();
        self.chains().iter().for_each(|chain| chain.drain());
    }

    /// The same for good: what is left after `time` is ended. `draining` is held that long.
    pub(super) fn retire(&self, time: Duration, draining: Option<&Arc<GaugeGuard>>) {
        self.stop_accepting();
        let chains = self.chains();
        chains.iter().for_each(|chain| chain.retire(time, draining));
    }

    /// Every chain that has or may get connections.
    fn chains(&self) -> Vec<Arc<Chain>> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.iter().filter_map(Weak::upgrade);
        self.built().chains().cloned().chain(left).collect()
    }

    /// Asks clients to leave, and drains, when it is told to.
    pub(super) async fn obey(self: Arc<Self>, mut drain: Watch) {
        drain.reached(Phase::Leaving).await;
        self.chains().iter().for_each(|chain| chain.leave());
        drain.reached(Phase::Draining).await;
        self.drain();
    }
}
