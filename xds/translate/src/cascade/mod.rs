//! From what control planes send to what is served, make before break.
//!
//! ```text
//!            clusters ──▶ their endpoints, their secrets
//! listeners ──▶ their secrets, their filters' settings, their scopes ──▶ their routes ──▶ clusters
//! ```
//!
//! A cluster waits ("warms") for its endpoints, routes for the clusters they lead to, a
//! listener for its routes: a request never meets half of an update. What is served stays until
//! its successor is ready, and a cluster that is taken away while routes still lead to it stays
//! a moment, since their update is usually on its way.
//!
//! This is a state machine: it is told what arrived and what time it is, and says what to do.
//! It knows no transport and starts nothing.

mod action;
mod claims;
mod clusters;
mod counts;
mod dump;
mod endpoints;
mod extensions;
mod heard;
mod hosts;
mod layers;
mod listeners;
mod references;
mod routes;
mod scopes;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tandem_model::config_source::{ApiType, Origin, ResourceKey};
use tandem_model::tls::{Secret, SecretSource};
use tandem_model::{Address, Bootstrap, Cluster, Listener};
use tandem_xds_client::{Resource, Update};

use crate::error::{Error, Errors, Trail};
pub use crate::resource::Kind;
pub use action::{Action, Heard};
use clusters::Clusters;
pub use counts::Counts;
pub use dump::Dump;
use endpoints::AllEndpoints;
use extensions::AllExtensions;
use hosts::AllHosts;
use layers::AllLayers;
use listeners::Listeners;
use routes::AllRoutes;
use scopes::AllScopes;
use secrets::AllSecrets;

/// How long routes and listeners wait for clusters that warm, so that a control plane which never
/// sends endpoints of one cannot hold back what leads to others.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a removed cluster stays in any case: requests that were routed to it before their
/// routes changed have not all reached it yet.
const LINGER: Duration = Duration::from_secs(3);

/// How long a removed cluster stays for routes that still lead to it.
const GRACE: Duration = Duration::from_secs(10);

/// Everything that control planes said, and what of it is served.
pub struct Cascade {
    clusters: Clusters,
    endpoints: AllEndpoints,
    secrets: AllSecrets,
    routes: AllRoutes,
    hosts: AllHosts,
    scopes: AllScopes,
    extensions: AllExtensions,
    layers: AllLayers,
    listeners: Listeners,
    /// Whether the aggregated stream is a delta one.
    delta: bool,
    /// Whether clusters or listeners are still waited for.
    awaited: HashSet<Kind>,
    /// Of the updates of clusters and of listeners that were accepted last.
    versions: HashMap<Kind, String>,
    actions: Vec<Action>,
    judge: Box<dyn Judge>,
}

/// Whoever serves what is decided here: it has the last word on what a control plane sends.
pub trait Judge: Send {
    /// Whether a cluster can be served.
    ///
    /// # Errors
    /// Why not; so for the others.
    fn cluster(&self, cluster: &Cluster) -> Result<(), String>;

    /// Whether a listener can be served.
    fn listener(&self, listener: &Listener) -> Result<(), String>;

    /// Whether an address of it, which no listener has yet, can be listened on.
    fn address(&self, listener: &Listener, address: &Address) -> Result<(), String>;

    /// Takes a secret into use.
    fn secret(&self, source: &SecretSource, secret: &Secret) -> Result<(), String>;
}

/// A resource as it was received, for `/config_dump`.
#[derive(Clone, Debug)]
pub struct Received {
    /// The version the control plane gave it when it last changed it.
    pub version: String,
    /// The serialized message.
    pub bytes: Vec<u8>,
    /// When it came.
    pub at: SystemTime,
}

/// A resource that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What was refused.
    pub received: Received,
    /// Why.
    pub reason: String,
}

/// What was asked for by name and is said not to be there. A delta stream says that by removing it;
/// with routes Envoy does not heed that, nor does it here.
fn absent(kind: Kind, update: &Update) -> impl Iterator<Item = &String> {
    let heeded = matches!(kind, Kind::Endpoints | Kind::Secret);
    let removed = update.removed.iter().filter(move |_| heeded);
    update.missing.iter().chain(removed)
}

/// What an update names, new or not.
fn named(update: &Update) -> HashSet<&str> {
    let added = update.added.iter().map(|resource| &*resource.name);
    let refreshed = update.refreshed.iter().map(|(name, _)| &**name);
    added.chain(refreshed).collect()
}

impl Refused {
    fn new(resource: &Resource, errors: &Errors) -> Self {
        Self {
            received: Received::from(resource),
            reason: errors.to_string(),
        }
    }
}

impl Received {
    /// Whether it is what was received, to the byte.
    fn is(&self, resource: &Resource) -> bool {
        resource.fault.is_none() && self.bytes == resource.value
    }

    /// It came again: as in Envoy, the version is that with which it last came as news.
    fn came(&mut self, resource: &Resource) {
        if self.bytes != resource.value {
            *self = Self::from(resource);
        }
    }
}

impl From<&Resource> for Received {
    fn from(resource: &Resource) -> Self {
        Self {
            version: resource.version.clone(),
            bytes: resource.value.clone(),
            at: SystemTime::now(),
        }
    }
}

impl Cascade {
    /// Starts with what the bootstrap has. `awaited` are the kinds (clusters, listeners) that a
    /// control plane will send as a whole.
    pub fn new(
        bootstrap: &Bootstrap,
        awaited: &[Kind],
        judge: impl Judge + 'static,
        now: Instant,
    ) -> Self {
        let mut cascade = Self {
            clusters: Clusters::default(),
            endpoints: AllEndpoints::default(),
            secrets: AllSecrets::default(),
            routes: AllRoutes::default(),
            hosts: AllHosts::default(),
            delta: bootstrap
                .dynamic
                .ads
                .as_ref()
                .is_some_and(|ads| ads.api == ApiType::DeltaGrpc),
            scopes: AllScopes::default(),
            extensions: AllExtensions::default(),
            layers: AllLayers::default(),
            listeners: Listeners::default(),
            awaited: awaited.iter().copied().collect(),
            versions: HashMap::new(),
            actions: Vec::new(),
            judge: Box::new(judge),
        };
        cascade.watch_layers(&bootstrap.runtime, now);
        for cluster in &bootstrap.clusters {
            cascade.clusters.set_static(cluster);
            cascade.watch_endpoints(&cluster.name, now);
            cascade.watch_cluster_secrets(&cluster.name, now);
        }
        for listener in &bootstrap.listeners {
            cascade.listeners.set_static(listener);
            cascade.watch_routes(&listener.name, now);
            cascade.watch_scopes(&listener.name, now);
            cascade.watch_listener_secrets(&listener.name, now);
            cascade.watch_extensions(&listener.name, now);
        }
        cascade.settle(now);
        cascade
    }

    /// Takes what a control plane sent of one kind. Every resource is judged by itself: what is
    /// right is used.
    ///
    /// # Errors
    /// What to tell the control plane: each resource that is refused, with the reason.
    pub fn update(
        &mut self,
        kind: Kind,
        origin: &Origin,
        update: &Update,
        now: Instant,
    ) -> Result<(), String> {
        let mut faults = Vec::new();
        match kind {
            Kind::Cluster => self.update_clusters(update, now, &mut faults),
            Kind::Listener => self.update_listeners(update, now, &mut faults),
            // As in Envoy, their removal takes nothing away: whoever needs them is removed by
            // itself.
            Kind::Endpoints => {
                let version: Arc<str> = update.version.as_str().into();
                each_named(origin, update, &mut faults, |key, resource| {
                    self.update_endpoints(key, resource, &version)
                });
            }
            Kind::Routes => each_named(origin, update, &mut faults, |key, resource| {
                self.update_routes(key, resource, now)
            }),
            Kind::Scopes => self.update_scopes(origin, update, now, &mut faults),
            Kind::VirtualHosts => self.update_hosts(origin, update, now, &mut faults),
            Kind::Secret => each_named(origin, update, &mut faults, |key, resource| {
                self.update_secret(key, resource)
            }),
            Kind::Runtime => {
                self.empty_layers(origin, &update.removed);
                each_named(origin, update, &mut faults, |key, resource| {
                    self.update_layer(key, resource)
                });
            }
            Kind::Extension => {
                self.remove_extensions(origin, &update.removed);
                each_named(origin, update, &mut faults, |key, resource| {
                    self.update_extension(key, resource)
                });
            }
        }
        for name in absent(kind, update) {
            self.is_missing(kind, &key(origin, name));
        }
        // As in Envoy, a refusal is an answer: what was asked for is not waited for any longer.
        for (name, _) in &faults {
            let key = key(origin, name);
            // What is served without it stays while its successor may still get it.
            if !(kind == Kind::Secret && self.is_for_successors(&key)) {
                self.is_missing(kind, &key);
            }
        }
        if faults.is_empty() && matches!(kind, Kind::Cluster | Kind::Listener) {
            self.versions.insert(kind, update.version.clone());
        }
        self.awaited.remove(&kind);
        self.settle(now);
        // Behind what is served by it, or what counts would not be there yet.
        self.tell_heard(kind, origin, update, &faults);
        refusal(&faults)
    }

    /// A source that says all that it has does not have this, or what it has of it is refused: as
    /// in Envoy, nobody waits for it.
    fn is_missing(&mut self, kind: Kind, key: &ResourceKey) {
        match kind {
            Kind::Endpoints => self.endpoints.is_missing(key),
            Kind::Routes => self.routes.is_missing(key),
            Kind::Secret => self.secrets.is_missing(key),
            Kind::Extension => self.extensions.is_missing(key),
            Kind::Runtime => self.layers.is_missing(key),
            // Asked for as a whole.
            Kind::Cluster | Kind::Listener | Kind::Scopes | Kind::VirtualHosts => {}
        }
    }

    /// An answer could not be read, and was refused. As in Envoy, what has not come from this
    /// source until then is waited for no longer, whatever was in the answer.
    pub fn unreadable(&mut self, kind: Kind, origin: &Origin, now: Instant) {
        let waited_for = match kind {
            Kind::Endpoints => self.endpoints.waited_for(),
            Kind::Routes => self.routes.waited_for(),
            Kind::Secret => self.secrets.waited_for(),
            Kind::Extension => self.extensions.waited_for(),
            Kind::Runtime => self.layers.waited_for(),
            Kind::Cluster | Kind::Listener | Kind::Scopes | Kind::VirtualHosts => Vec::new(),
        };
        match kind {
            Kind::Scopes => self.scopes.is_refused(&key(origin, "*")),
            Kind::VirtualHosts => self.no_more_hosts(origin, now),
            _ => {}
        }
        for key in waited_for.iter().filter(|key| key.origin == *origin) {
            self.is_missing(kind, key);
        }
        self.give_up(kind, now);
    }

    /// Nothing came for a kind that is sent as a whole: go on without.
    pub fn give_up(&mut self, kind: Kind, now: Instant) {
        self.awaited.remove(&kind);
        self.settle(now);
    }

    /// These resources of a source ended by their time to live. As with their removal, endpoints,
    /// routes and secrets go by themselves with those that need them.
    pub fn expired(&mut self, kind: Kind, origin: &Origin, names: &[String], now: Instant) {
        let gone = || Update {
            removed: names.to_vec(),
            ..Update::default()
        };
        match kind {
            Kind::Cluster => names.iter().for_each(|name| self.remove_cluster(name, now)),
            Kind::Listener => names
                .iter()
                .for_each(|name| self.remove_listener(name, now)),
            Kind::Extension => self.remove_extensions(origin, names),
            Kind::Runtime => self.empty_layers(origin, names),
            Kind::Scopes => self.update_scopes(origin, &gone(), now, &mut Vec::new()),
            Kind::VirtualHosts => self.update_hosts(origin, &gone(), now, &mut Vec::new()),
            Kind::Endpoints | Kind::Routes | Kind::Secret => {}
        }
        self.settle(now);
    }

    /// When [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let all = [
            self.clusters.deadline(),
            self.endpoints.deadline(),
            self.secrets.deadline(),
            self.routes.deadline(),
            self.listeners.deadline(),
            self.scopes.deadline(),
            self.extensions.deadline(),
            self.layers.deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        let (routes, hosts) = self.routes.expire(now);
        let given_up = [
            (Kind::Endpoints, self.endpoints.expire(now)),
            (Kind::Secret, self.secrets.expire(now)),
            (Kind::Routes, routes),
            (Kind::VirtualHosts, hosts),
            (Kind::Scopes, self.scopes.expire(now)),
            (Kind::Extension, self.extensions.expire(now)),
            (Kind::Runtime, self.layers.expire(now)),
        ];
        self.settle(now);
        for (kind, keys) in given_up {
            for key in keys {
                if kind == Kind::Endpoints {
                    self.tell_endpoints_heard(&key, &Heard::Late);
                }
                self.actions.push(Action::Heard(kind, key, Heard::Late));
            }
        }
    }

    /// What is to be done, in this order; each is said once.
    pub fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// How many clusters there are.
    pub fn cluster_counts(&self) -> Counts {
        self.clusters.counts()
    }

    /// The `stat_prefix` of a connection manager that routes by these, if one does so itself.
    pub fn stat_prefix_of(&self, routes: &ResourceKey) -> Option<std::sync::Arc<str>> {
        let listener = self.routes.a_listener(routes)?;
        self.listeners.stat_prefix(listener, routes)
    }

    /// How many listeners there are.
    pub fn listener_counts(&self) -> Counts {
        self.listeners.counts()
    }

    /// Whether the first resources of a kind are still waited for.
    pub fn awaits(&self, kind: Kind) -> bool {
        self.awaited.contains(&kind) || kind == Kind::Runtime && self.layers.warm()
    }

    /// Whether everything that was asked for at start has come or was given up.
    pub fn initialized(&self) -> bool {
        self.awaited.is_empty()
            && !self.layers.warm()
            && !self.clusters.warms()
            && !self.listeners.warm()
    }

    /// Serves what has become ready; each step may make the next one ready.
    fn settle(&mut self, now: Instant) {
        self.settle_clusters();
        self.settle_routes(now);
        self.settle_scopes(now);
        self.settle_listeners(now);
        self.settle_leaving(now);
    }
}

fn key(origin: &Origin, name: &str) -> ResourceKey {
    ResourceKey {
        origin: origin.clone(),
        name: name.into(),
    }
}

fn each_named(
    origin: &Origin,
    update: &Update,
    faults: &mut Vec<(String, Errors)>,
    mut take: impl FnMut(&ResourceKey, &Resource) -> Result<(), Errors>,
) {
    for resource in &update.added {
        let key = key(origin, &resource.name);
        // A fault counts even where nobody asked for what it is a fault of: the name may be wrong.
        let taken = take(&key, resource).and_then(|()| bytes(resource).map(drop));
        if let Err(errors) = taken {
            faults.push((resource.name.clone(), errors));
        }
    }
}

/// A resource's bytes, unless it is known already that they are not all that was written.
fn bytes(resource: &Resource) -> Result<&[u8], Errors> {
    match &resource.fault {
        None => Ok(&resource.value),
        Some(fault) => Err(Error::new(&Trail::ROOT, fault.as_str()).into()),
    }
}

fn refusal(faults: &[(String, Errors)]) -> Result<(), String> {
    if faults.is_empty() {
        return Ok(());
    }
    let lines = faults.iter().map(|(name, errors)| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        format!("{name}: {}", errors.join("; "))
    });
    Err(lines.collect::<Vec<_>>().join("\n"))
}
