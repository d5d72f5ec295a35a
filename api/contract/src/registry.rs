//! Which components there are, and what a worker finds under their names.

use std::{collections::HashMap, sync::Arc};

use tokio::task::JoinSet;

use crate::{
    component::{Building, Readiness, Status},
    hello::Hello,
    key::KeyPrefix,
    lock,
    pubsub::PubSub,
    sequencer::{self, Buffers},
    state,
};

/// All components of a process.
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

/// One component.
pub struct Entry {
    /// The name by which callers ask for it.
    pub name: Box<str>,
    /// Its type, such as `state.redis`.
    pub kind: Box<str>,
    /// What goes before its keys.
    pub keys: KeyPrefix,
    /// What it is.
    pub building: Building,
    /// How it fares.
    pub readiness: Readiness,
    /// The segments of a sequencer.
    buffers: Arc<Buffers>,
}

impl Registry {
    /// Adds a component. Names are unique: the reader of declarations sees to that; here the
    /// first one of a name and building block wins.
    pub fn insert(&mut self, name: &str, kind: &str, keys: KeyPrefix, building: Building) {
        self.entries.push(Entry {
            name: name.into(),
            kind: kind.into(),
            keys,
            building,
            readiness: Readiness::default(),
            buffers: Arc::new(Buffers::new()),
        });
    }

    /// All components in the order of their declaration.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Starts the shared parts on the current runtime: the control thread's. They end when the
    /// answer is dropped.
    #[must_use = "dropping it stops the components"]
    pub fn run(&self) -> Running {
        let mut tasks = JoinSet::new();
        for entry in &self.entries {
            let (building, readiness) = (entry.building.clone(), entry.readiness.clone());
            tasks.spawn(tell(&entry.name, &entry.kind, &readiness));
            tasks.spawn(async move { building.run(readiness).await });
        }
        Running(tasks)
    }

    /// The clients of one worker. To be called once on each worker, inside its runtime.
    pub fn clients(&self) -> Clients {
        let mut clients = Clients::default();
        for Entry {
            name,
            keys,
            building,
            buffers,
            ..
        } in &self.entries
        {
            let keys = keys.clone();
            match building {
                Building::State(component) => {
                    clients
                        .state
                        .insert(name, state::Store::new(keys, component.client()));
                }
                Building::Lock(component) => {
                    clients
                        .lock
                        .insert(name, lock::Store::new(keys, component.client()));
                }
                Building::Sequencer(component) => {
                    let store = sequencer::Store::new(keys, component.client(), buffers.clone());
                    clients.sequencer.insert(name, store);
                }
                Building::PubSub(component) => clients.pubsub.insert(name, component.client()),
                Building::Hello(hello) => clients.hello.insert(name, hello.clone()),
            }
        }
        clients
    }
}

/// Logs how a component fares, whenever that changes.
fn tell(name: &str, kind: &str, readiness: &Readiness) -> impl Future<Output = ()> + use<> {
    let (component, kind): (Box<str>, Box<str>) = (name.into(), kind.into());
    let mut changes = readiness.subscribe();
    async move {
        while changes.changed().await.is_ok() {
            match &*changes.borrow_and_update() {
                Status::Starting => {}
                Status::Ready => tracing::info!(%component, %kind, "component ready"),
                Status::Down(reason) => {
                    tracing::warn!(%component, %kind, %reason, "component not ready: trying again");
                }
            }
        }
    }
}

/// The components' background work; dropping it ends it.
#[derive(Debug)]
pub struct Running(#[allow(dead_code, reason = "held for its drop")] JoinSet<()>);

/// What one worker calls.
#[derive(Default)]
pub struct Clients {
    /// State stores.
    pub state: Named<state::Store>,
    /// Lock stores.
    pub lock: Named<lock::Store>,
    /// Sequencers.
    pub sequencer: Named<sequencer::Store>,
    /// Publish and subscribe.
    pub pubsub: Named<Arc<dyn PubSub>>,
    /// Greeters.
    pub hello: Named<Arc<dyn Hello>>,
}

/// Components of one building block, by name.
pub struct Named<T>(HashMap<Box<str>, T>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Named<T> {
    /// The component of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.get(name)
    }

    /// Whether there is none at all: APIs answer that differently from an unknown name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and components, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, component)| (&**name, component))
    }

    fn insert(&mut self, name: &str, component: T) {
        self.0.entry(name.into()).or_insert(component);
    }
}
