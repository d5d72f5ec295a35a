//! The process's listeners: their sockets, and what the workers are told of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tandem_core::stats::{Counter, Gauge, Registry};
use tandem_model::{Address, Listener};
use tandem_stack::listeners::Command;
use tandem_transport::listen::{self, Options};
use tokio::sync::mpsc::UnboundedSender;

use crate::drain::Drains;
use crate::mesh::Change;
use crate::process::Error;

mod held;

use held::Held;

/// One worker's sockets of a listener, one for each address.
type OfWorker = Vec<listen::Listening>;

/// All listeners, and the workers that serve them.
#[derive(Debug)]
pub(crate) struct Listening {
    workers: Vec<UnboundedSender<Command>>,
    drains: Arc<Drains>,
    served: HashMap<Arc<str>, Arc<Listener>>,
    /// Sockets of listeners that are not served yet.
    reserved: HashMap<Arc<str>, Vec<OfWorker>>,
    /// Of the listeners whose sockets cannot be bound beside others: what their successors need.
    held: HashMap<Arc<str>, Held>,
    /// Of those that go with the changes that are being made.
    left: Vec<Held>,
    addresses: Addresses,
    stats: Stats,
}

/// `listener_manager.*`, what workers have to do with.
#[derive(Debug)]
struct Stats {
    created: Counter,
    failed: Counter,
    draining: Gauge,
}

impl Stats {
    fn new(registry: &Registry) -> Self {
        let scope = registry.plain("listener_manager");
        Self {
            created: scope.counter("listener_create_success"),
            failed: scope.counter("listener_create_failure"),
            draining: scope.gauge("total_listeners_draining"),
        }
    }
}

/// Where the process listens, in the order in which the listeners came. Clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    all: Arc<Mutex<Vec<Named>>>,
    served: Arc<Mutex<Vec<Arc<Listener>>>>,
}

/// A listener's name and its address.
type Named = (Arc<str>, Address);

impl Addresses {
    /// All of them now.
    pub(crate) fn all(&self) -> Vec<Named> {
        self.lock().clone()
    }

    fn set(&self, name: &Arc<str>, address: Option<Address>) {
        let mut all = self.lock();
        match (all.iter().position(|(other, _)| other == name), address) {
            (Some(place), Some(address)) => all[place].1 = address,
            (None, Some(address)) => all.push((Arc::clone(name), address)),
            (Some(place), None) => drop(all.remove(place)),
            (None, None) => {}
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Named>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listeners that are served now, as they are configured.
    pub(crate) fn served(&self) -> Vec<Arc<Listener>> {
        let served = self.served.lock();
        served.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, name: &str, listener: Option<&Arc<Listener>>) {
        let served = self.served.lock();
        let mut served = served.unwrap_or_else(PoisonError::into_inner);
        let place = served.iter().position(|other| *other.name == *name);
        match (place, listener) {
            (Some(place), Some(listener)) => served[place] = Arc::clone(listener),
            (None, Some(listener)) => served.push(Arc::clone(listener)),
            (Some(place), None) => drop(served.remove(place)),
            (None, None) => {}
        }
    }
}

impl Listening {
    /// None yet.
    pub(crate) fn new(
        workers: Vec<UnboundedSender<Command>>,
        drains: &Arc<Drains>,
        registry: &Registry,
    ) -> Self {
        Self {
            workers,
            drains: Arc::clone(drains),
            served: HashMap::new(),
            reserved: HashMap::new(),
            held: HashMap::new(),
            left: Vec::new(),
            addresses: Addresses::default(),
            stats: Stats::new(registry),
        }
    }

    /// Where it listens, now and later.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    /// Binds a listener that will be served later: until then its clients wait.
    ///
    /// # Errors
    /// It cannot listen.
    pub(crate) fn reserve(&mut self, listener: &Arc<Listener>) -> Result<(), Error> {
        let sockets = bind(listener, self.workers.len(), &[])?;
        self.show(listener, &sockets);
        self.reserved.insert(Arc::clone(&listener.name), sockets);
        Ok(())
    }

    /// Serves a listener, in place of the one of its name.
    ///
    /// # Errors
    /// It cannot listen; the one before it goes on.
    pub(crate) fn set(&mut self, listener: &Arc<Listener>) -> Result<(), Error> {
        let name = &listener.name;
        let before = self.served.get(name);
        let rebinds = before.is_none_or(|before| sockets_differ(before, listener));
        let sockets = match rebinds {
            true => Some(match self.reserved.remove(name) {
                Some(sockets) => sockets,
                None => {
                    let held = self.held.get(name).into_iter().chain(&self.left);
                    bind(listener, self.workers.len(), &held.collect::<Vec<_>>())?
                }
            }),
            false => None,
        };
        if let Some(sockets) = &sockets {
            self.show(listener, sockets);
            let drain = self.drains.watch(listener.traffic_direction);
            self.held.remove(name);
            let held = Held::new(listener, sockets, drain);
            (self.held).extend(held.map(|held| (Arc::clone(name), held)));
        }
        let replaces = before.is_some();
        let mut sockets = sockets.map(Vec::into_iter);
        for worker in &self.workers {
            let sockets = sockets.as_mut().map(|all| all.next().unwrap_or_default());
            let listener = Arc::clone(listener);
            // As in Envoy, once for each worker.
            self.stats.created.inc();
            // A worker that is gone serves nothing any more.
            let _ = worker.send(match replaces {
                true => Command::Replace { listener, sockets },
                false => Command::Add {
                    drain: self.drains.watch(listener.traffic_direction),
                    sockets: sockets.unwrap_or_default(),
                    listener,
                },
            });
        }
        self.addresses.serve(name, Some(listener));
        self.served.insert(Arc::clone(name), Arc::clone(listener));
        Ok(())
    }

    fn show(&self, listener: &Listener, sockets: &[OfWorker]) {
        let bound = sockets.first().and_then(|of_worker| of_worker.first());
        let bound = bound.and_then(listen::Listening::local_addr);
        let address = bound.map_or_else(|| listener.address.clone(), Address::Socket);
        self.addresses.set(&listener.name, Some(address));
    }

    /// Serves a listener no more; its connections finish.
    pub(crate) fn remove(&mut self, name: &Arc<str>) {
        if self.served.remove(name).is_none() {
            return;
        }
        self.left.extend(self.held.remove(name));
        self.addresses.set(name, None);
        self.addresses.serve(name, None);
        let draining = Arc::new(self.stats.draining.guard());
        for worker in &self.workers {
            let _ = worker.send(Command::Remove {
                name: Arc::clone(name),
                draining: Arc::clone(&draining),
            });
        }
    }

    /// Makes several changes. A listener that cannot listen is left as it was, and logged.
    pub(crate) fn change(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Set(listener) => match self.set(&listener) {
                    Ok(()) => tracing::info!(listener = %listener.name, "serving"),
                    Err(error) => {
                        self.stats.failed.inc();
                        tracing::error!(%error, "a listener is not served");
                    }
                },
                Change::Remove(name) => {
                    tracing::info!(listener = %name, "not serving any more");
                    self.remove(&name);
                }
            }
        }
        self.left.clear();
    }
}

/// Whether new sockets are needed.
fn sockets_differ(before: &Listener, after: &Listener) -> bool {
    before.bind_to_port != after.bind_to_port
        || !before.addresses().eq(after.addresses())
        || Options::of(before) != Options::of(after)
}

/// Refuses a listener whose ports another process serves. The system would let both have them, and
/// give each every other connection: for two applications that is never meant.
///
/// # Errors
/// A port is taken.
pub(crate) fn alone(listener: &Listener) -> Result<(), Error> {
    let options = Options {
        reuse_port: false,
        ..Options::of(listener)
    };
    let mut bound = listener.addresses().filter(|_| listener.bind_to_port);
    bound.try_for_each(|address| {
        listen::check(address, &options).map_err(|source| Error::Taken {
            listener: listener.name.to_string(),
            address: address.to_string(),
            source,
        })
    })
}

/// The sockets of a listener, for each worker one for each address.
/// Sockets that are held are taken over: beside them none can be bound.
fn bind(listener: &Listener, workers: usize, held: &[&Held]) -> Result<Vec<OfWorker>, Error> {
    let mut all: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    if !listener.bind_to_port {
        return Ok(all);
    }
    let options = Options::of(listener);
    for address in listener.addresses() {
        let known = held.iter().find_map(|held| held.at(address, &options));
        let sockets = match &known {
            Some(socket) => listen::again(socket, workers, &options),
            None => listen::bind(address, workers, &options),
        };
        let sockets = sockets.map_err(|source| Error::Bind {
            listener: listener.name.to_string(),
            source,
        })?;
        for (of_worker, socket) in all.iter_mut().zip(sockets) {
            of_worker.push(socket);
        }
    }
    Ok(all)
}
