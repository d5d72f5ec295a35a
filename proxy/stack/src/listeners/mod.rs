//! One worker's listeners: added, replaced in place and removed while traffic runs.
//!
//! A connection is accepted (`active`), looked at by the listener filters, perhaps handed over
//! by its original destination, and given the chain that matches (`connection`); the chain
//! serves it (`chain`). What a listener's configuration is made to is `built`: whole, and
//! replaced as a whole, so that a connection never meets half of an update.

mod active;
mod built;
mod chain;
mod connection;
mod line;
mod look;
mod stats;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tandem_core::drain::Watch;
use tandem_core::live::Live;
use tandem_core::stats::GaugeGuard;
use tandem_model::Listener;
use tandem_model::matching::listening_on;
use tandem_transport::listen::Listening;
use tokio::sync::oneshot;

use active::Active;
use built::Built;
use chain::Open;

use crate::Deps;

/// What the listeners of one worker are told.
#[derive(Debug)]
pub enum Command {
    /// Serve a listener that is not there yet.
    Add {
        /// What it is.
        listener: Arc<Listener>,
        /// This worker's sockets for it, bound and listening: one for each address, none if
        /// the listener does not bind.
        sockets: Vec<Listening>,
        /// When it drains with the process.
        drain: Watch,
    },
    /// Serve a listener differently. Filter chains that did not change keep their services and
    /// connections; those that are gone or changed finish theirs. What is said of the listener
    /// itself holds for new connections.
    Replace {
        /// What it is now; found by its name.
        listener: Arc<Listener>,
        /// New sockets in place of the old ones, if the addresses or their options changed.
        sockets: Option<Vec<Listening>>,
    },
    /// Accept no more for a listener, and let its connections finish.
    Remove {
        /// Its name.
        name: Arc<str>,
        /// Held by all workers until its last connection is gone.
        draining: Arc<GaugeGuard>,
    },
    /// Say when everything before it is done, and lookups see it.
    Tell(oneshot::Sender<()>),
}

/// The listeners of one worker. To be used within its runtime.
#[derive(Debug)]
pub struct Listeners {
    shared: Arc<Shared>,
    by_name: HashMap<Arc<str>, Running>,
    /// In the order of their arrival, as the directory shows them.
    order: Vec<Arc<str>>,
}

/// A listener that is served.
#[derive(Debug)]
struct Running {
    active: Arc<Active>,
    /// Obeys the process's drain.
    obeying: tokio::task::JoinHandle<()>,
}

/// What all of a worker's listeners share.
#[derive(Debug)]
pub(crate) struct Shared {
    deps: Deps,
    /// By the address that a connection wanted to go to.
    addresses: Live<HashMap<SocketAddr, Arc<Active>>>,
    /// How long connections of what was removed may go on.
    drain_time: Duration,
    /// The tasks that may still bring connections.
    acceptors: Arc<Open>,
    /// The connections.
    open: Arc<Open>,
}

impl Listeners {
    /// None yet. `drain_time` is how long the connections of removed or changed filter chains
    /// may go on.
    pub fn new(deps: Deps, drain_time: Duration) -> Self {
        let shared = Shared {
            deps,
            addresses: Live::new(HashMap::new()),
            drain_time,
            acceptors: Arc::default(),
            open: Arc::default(),
        };
        Self {
            shared: Arc::new(shared),
            by_name: HashMap::new(),
            order: Vec::new(),
        }
    }

    /// Does what it is told; lookups see the outcome of all commands at once.
    pub fn apply(&mut self, commands: impl IntoIterator<Item = Command>) {
        let mut waiting = Vec::new();
        for command in commands {
            match command {
                Command::Add {
                    listener,
                    sockets,
                    drain,
                } => self.add(listener, sockets, drain),
                Command::Replace { listener, sockets } => self.replace(listener, sockets),
                Command::Remove { name, draining } => self.remove(&name, &draining),
                Command::Tell(done) => waiting.push(done),
            }
        }
        self.publish();
        for done in waiting {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }

    fn add(&mut self, listener: Arc<Listener>, sockets: Vec<Listening>, drain: Watch) {
        let name = Arc::clone(&listener.name);
        let active = match Active::new(listener, &self.shared) {
            Ok(active) => Arc::new(active),
            Err(overlap) => return tracing::error!(listener = %name, error = %overlap),
        };
        active.accept_from(sockets, &self.shared);
        let obeying = tokio::spawn(Arc::clone(&active).obey(drain));
        let running = Running { active, obeying };
        match self.by_name.insert(Arc::clone(&name), running) {
            Some(before) => before.retire(&self.shared, None),
            None => self.order.push(name),
        }
    }

    fn replace(&mut self, listener: Arc<Listener>, sockets: Option<Vec<Listening>>) {
        let name = Arc::clone(&listener.name);
        let Some(running) = self.by_name.get(&name) else {
            return tracing::error!(listener = %name, "there is no such listener to replace");
        };
        if let Err(overlap) = running.active.replace(listener, &self.shared) {
            return tracing::error!(listener = %name, error = %overlap);
        }
        if let Some(sockets) = sockets {
            running.active.stop_accepting();
            running.active.accept_from(sockets, &self.shared);
        }
    }

    fn remove(&mut self, name: &str, draining: &Arc<GaugeGuard>) {
        if let Some(running) = self.by_name.remove(name) {
            running.retire(&self.shared, Some(draining));
            self.order.retain(|known| **known != *name);
        }
    }

    /// Tells those who look listeners up: for redirected connections, and for calls that are
    /// made within the process.
    fn publish(&self) {
        let mut addresses = HashMap::new();
        let mut entries = Vec::new();
        for running in self.order.iter().filter_map(|name| self.by_name.get(name)) {
            let built = running.active.built();
            for address in built.listener.addresses().filter_map(|a| a.socket()) {
                addresses.insert(address, Arc::clone(&running.active));
            }
            entries.push(built.entry());
        }
        self.shared.addresses.publish(addresses);
        self.shared.deps.directory.publish(entries);
    }

    /// Stops accepting and asks all connections to finish.
    pub fn drain(&self) {
        for running in self.by_name.values() {
            running.active.drain();
        }
    }

    /// After [`Listeners::drain`]: resolves when everybody was let in whom the system had
    /// accepted by then, and no connection is left.
    pub async fn drained(&self) {
        self.shared.acceptors.none().await;
        self.shared.open.none().await;
    }
}

impl Shared {
    /// The listener of an address: its own, or the one of its port on all addresses.
    fn listening_on(&self, wanted: SocketAddr) -> Option<Arc<Built>> {
        let addresses = self.addresses.load();
        let found = listening_on(&addresses, wanted);
        found.map(|active| active.built())
    }
}

impl Running {
    fn retire(self, shared: &Arc<Shared>, draining: Option<&Arc<GaugeGuard>>) {
        self.obeying.abort();
        self.active.retire(shared.drain_time, draining);
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        // The listeners know what they share, and that knows them.
        self.shared.addresses.publish(HashMap::new());
    }
}

#[cfg(test)]
mod tests;
