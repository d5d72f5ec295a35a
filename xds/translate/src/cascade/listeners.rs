//! Listeners: those that are served, and those that wait for their routes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_model::filter::discovery::Discovery;
use tandem_model::hcm::RouteSource;
use tandem_model::listener::NetworkFilter;
use tandem_model::scope::{ScopeSource, ScopesKey};
use tandem_model::{Address, Listener};
use tandem_xds_client::{Resource, Update};

use super::secrets::{self, User};
use super::{
    Action, Cascade, Counts, Kind, PATIENCE, Received, Refused, bytes, extensions, named,
    references, routes,
};
use crate::error::{Error, Errors, Trail};
use crate::resource;

/// All listeners.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    counts: Counts,
    all: HashMap<Arc<str>, Entry>,
    warming: BTreeSet<Arc<str>>,
    pub(super) refused: HashMap<String, Refused>,
}

#[derive(Debug)]
struct Entry {
    active: Option<(Arc<Listener>, Option<Received>)>,
    warming: Option<(Arc<Listener>, Option<Received>)>,
    wait: Wait,
    from_bootstrap: bool,
}

/// How long what warms waits for clusters.
#[derive(Clone, Copy, Debug)]
enum Wait {
    ForEver,
    Until(Instant),
    Over,
}

impl Listeners {
    pub(super) fn set_static(&mut self, listener: &Arc<Listener>) {
        let entry = Entry {
            active: None,
            warming: Some((Arc::clone(listener), None)),
            // As in Envoy, its own listeners open when its own clusters are there.
            wait: Wait::ForEver,
            from_bootstrap: true,
        };
        self.all.insert(Arc::clone(&listener.name), entry);
        self.counts.added += 1;
        self.warming.insert(Arc::clone(&listener.name));
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            warming: u64::try_from(self.warming.len()).unwrap_or(u64::MAX),
            ..self.counts
        }
    }

    pub(super) fn warm(&self) -> bool {
        !self.warming.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let warming = self.warming.iter().filter_map(|name| self.all.get(name));
        let waits = warming.filter_map(|entry| match entry.wait {
            Wait::Until(until) => Some(until),
            Wait::ForEver | Wait::Over => None,
        });
        waits.min()
    }

    /// What is served.
    pub(super) fn served(&self) -> impl Iterator<Item = &Arc<Listener>> {
        let active = self.all.values().filter_map(|entry| entry.active.as_ref());
        active.map(|(listener, _)| listener)
    }

    /// What is served, if it is of these very bytes: nothing has to be made of them again.
    fn is_served_as(&self, resource: &Resource) -> Option<Arc<Listener>> {
        let entry = self.all.get(&*resource.name)?;
        let (listener, from) = entry.active.as_ref()?;
        let is_same = from.as_ref().is_some_and(|from| from.is(resource));
        is_same.then(|| Arc::clone(listener))
    }

    /// The routes that its versions need.
    pub(super) fn needs(&self, name: &str) -> Vec<Subscribed> {
        let Some(entry) = self.all.get(name) else {
            return Vec::new();
        };
        let versions = [&entry.active, &entry.warming].into_iter().flatten();
        let mut needs = Vec::new();
        for need in versions.flat_map(|(listener, _)| of(listener)) {
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        needs
    }

    /// The `stat_prefix` of its connection manager that routes by these.
    pub(super) fn stat_prefix(&self, name: &str, routes: &ResourceKey) -> Option<Arc<str>> {
        let entry = self.all.get(name)?;
        let versions = [&entry.warming, &entry.active].into_iter().flatten();
        let mut chains = versions.flat_map(|(listener, _)| listener.chains());
        chains.find_map(|chain| {
            let NetworkFilter::Http(manager) = &chain.filter else {
                return None;
            };
            match &manager.routes {
                RouteSource::Rds(need) if need.key == *routes => {
                    Some(Arc::clone(&manager.stat_prefix))
                }
                _ => None,
            }
        })
    }

    /// The scopes that its versions need.
    pub(super) fn scopes(&self, name: &str) -> Vec<(ScopesKey, Subscribed)> {
        let Some(entry) = self.all.get(name) else {
            return Vec::new();
        };
        let versions = [&entry.active, &entry.warming].into_iter().flatten();
        versions
            .flat_map(|(listener, _)| scopes_of(listener))
            .collect()
    }

    /// The scoped routes of all listeners that come by themselves, by their own names.
    pub(super) fn followed(&self) -> Vec<(Arc<str>, ScopesKey)> {
        let versions = (self.all.values()).flat_map(|entry| [&entry.active, &entry.warming]);
        let sources = versions
            .flatten()
            .flat_map(|(listener, _)| sources(listener));
        let followed = sources.filter_map(|source| match source {
            RouteSource::Scoped(scoped) => Some((Arc::clone(&scoped.name), scoped.followed()?.0)),
            RouteSource::Rds(_) | RouteSource::Inline(_) => None,
        });
        followed.collect()
    }

    /// What the filters of its versions need, and whether its newest version does.
    pub(super) fn extensions(&self, name: &str) -> Vec<(Arc<Discovery>, bool)> {
        let Some(entry) = self.all.get(name) else {
            return Vec::new();
        };
        let of = |version: &Option<(Arc<Listener>, _)>, newest: bool| {
            let needs = version.iter();
            let needs = needs.flat_map(|(listener, _)| extensions::of_listener(listener));
            needs.map(|need| (need, newest)).collect::<Vec<_>>()
        };
        let mut needs = of(&entry.active, entry.warming.is_none());
        needs.extend(of(&entry.warming, true));
        needs
    }

    /// The listeners that an update takes away.
    fn gone(&self, update: &Update) -> HashSet<Arc<str>> {
        let named = named(update);
        let removed: HashSet<&str> = update.removed.iter().map(String::as_str).collect();
        let all = self.all.iter().filter(|(_, entry)| !entry.from_bootstrap);
        let gone = all.filter(|(name, _)| {
            removed.contains(&***name) || (update.complete && !named.contains(&***name))
        });
        gone.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Forgets why those were refused that an update takes away.
    fn forget_refused(&mut self, update: &Update) {
        for name in &update.removed {
            self.refused.remove(name);
        }
        if update.complete {
            let named = named(update);
            self.refused.retain(|name, _| named.contains(&**name));
        }
    }

    /// Whether no other listener that stays has one of its addresses. Sockets would share the
    /// port, and the kernel deal connections out between them.
    fn address_is_free(&self, listener: &Listener, gone: &HashSet<Arc<str>>) -> Result<(), String> {
        let others = self.all.iter();
        let others = others.filter(|(name, _)| **name != listener.name && !gone.contains(*name));
        let versions = others.flat_map(|(_, entry)| [&entry.active, &entry.warming]);
        for (other, _) in versions.flatten() {
            let mut taken = other.addresses().filter(|address| {
                let chosen = other.bind_to_port && address.socket().is_some_and(|a| a.port() == 0);
                !chosen && listener.addresses().any(|own| own.is_at(address))
            });
            if let Some(address) = taken.next() {
                return Err(format!(
                    "expected every address once, '{}' has {address} already",
                    other.name
                ));
            }
        }
        Ok(())
    }

    /// As in Envoy: sockets that share a port and one that does not cannot be there together.
    fn shares_as_before(&self, listener: &Listener) -> Result<(), String> {
        let entry = self.all.get(&listener.name);
        let versions = entry.map(|entry| [&entry.active, &entry.warming]);
        let mut before = versions.into_iter().flatten().flatten();
        match before.all(|(before, _)| before.enable_reuse_port == listener.enable_reuse_port) {
            true => Ok(()),
            false => Err("enable_reuse_port: cannot be changed during an update".to_owned()),
        }
    }

    /// The addresses it is to listen on that no listener has: one that goes with this update still
    /// has its own.
    fn new_addresses<'a>(&self, listener: &'a Listener) -> Vec<&'a Address> {
        let versions = self.all.values();
        let versions = versions.flat_map(|entry| [&entry.active, &entry.warming]);
        let bound: HashSet<&Address> = versions
            .flatten()
            .filter(|(other, _)| other.bind_to_port)
            .flat_map(|(other, _)| other.addresses())
            .collect();
        let own = listener.addresses().filter(|_| listener.bind_to_port);
        own.filter(|address| !bound.contains(address)).collect()
    }

    pub(super) fn dump(&self) -> impl Iterator<Item = (&Arc<str>, bool, &Received)> {
        self.all.iter().flat_map(|(name, entry)| {
            let active = entry.active.as_ref();
            let active = active.and_then(|(_, from)| Some((name, true, from.as_ref()?)));
            let warming = entry.warming.as_ref();
            let warming = warming.and_then(|(_, from)| Some((name, false, from.as_ref()?)));
            active.into_iter().chain(warming)
        })
    }
}

/// Where the routes of a listener's connection managers come from.
fn sources(listener: &Listener) -> impl Iterator<Item = &RouteSource> {
    listener.chains().filter_map(|chain| match &chain.filter {
        NetworkFilter::Http(manager) => Some(&manager.routes),
        NetworkFilter::Tcp(_) => None,
    })
}

/// The routes a listener asks for.
fn of(listener: &Listener) -> Vec<Subscribed> {
    let needs = sources(listener).flat_map(|source| match source {
        RouteSource::Rds(need) => vec![need.clone()],
        RouteSource::Scoped(scoped) => match &scoped.scopes {
            ScopeSource::Inline(all) => (all.iter())
                .filter_map(|scope| scope.wanted(scoped.rds.as_ref()))
                .collect(),
            ScopeSource::Srds(_) => Vec::new(),
        },
        RouteSource::Inline(_) => Vec::new(),
    });
    needs.collect()
}

/// The scopes a listener asks for.
fn scopes_of(listener: &Listener) -> impl Iterator<Item = (ScopesKey, Subscribed)> {
    sources(listener).filter_map(|source| match source {
        RouteSource::Scoped(scoped) => {
            let (key, need) = scoped.followed()?;
            Some((key, need.clone()))
        }
        RouteSource::Rds(_) | RouteSource::Inline(_) => None,
    })
}

fn keys(listener: &Listener) -> HashSet<ResourceKey> {
    of(listener).into_iter().map(|need| need.key).collect()
}

impl Cascade {
    pub(super) fn update_listeners(
        &mut self,
        update: &Update,
        now: Instant,
        faults: &mut Vec<(String, Errors)>,
    ) {
        self.listeners.forget_refused(update);
        let gone = self.listeners.gone(update);
        let mut taken: HashSet<Arc<str>> = HashSet::new();
        for resource in &update.added {
            if let Some(active) = self.listeners.is_served_as(resource) {
                self.listeners.refused.remove(&resource.name);
                self.set_listener(active, resource, now);
                continue;
            }
            let known = |name: &str| self.clusters.knows(name);
            let translated = bytes(resource).and_then(|bytes| resource::listener(bytes, &known));
            let checked = translated.and_then(|listener| {
                let refuse = |reason| Errors::from(Error::new(&Trail::ROOT, reason));
                if resource.name.is_empty() {
                    // It could not be told from one that is gone.
                    return Err(refuse("expected a name".to_owned()));
                }
                let free = self.listeners.address_is_free(&listener, &gone);
                free.map_err(refuse)?;
                self.listeners.shares_as_before(&listener).map_err(refuse)?;
                self.judge.listener(&listener).map_err(refuse)?;
                for address in self.listeners.new_addresses(&listener) {
                    self.judge.address(&listener, address).map_err(refuse)?;
                }
                Ok(listener)
            });
            match checked {
                Ok(listener) => {
                    self.listeners.refused.remove(&resource.name);
                    if *listener.name != *resource.name {
                        taken.insert(Arc::clone(&listener.name));
                    }
                    self.set_listener(listener, resource, now);
                }
                Err(errors) => {
                    let refused = Refused {
                        received: Received::from(resource),
                        reason: errors.to_string(),
                    };
                    (self.listeners.refused).insert(resource.name.clone(), refused);
                    faults.push((resource.name.clone(), errors));
                }
            }
        }
        // Last, so that routes which stay under another listener are not let go of; and not what
        // came in a wrapper with another name.
        for name in gone.difference(&taken) {
            self.remove_listener(name, now);
        }
    }

    fn set_listener(&mut self, listener: Arc<Listener>, resource: &Resource, now: Instant) {
        let name = Arc::clone(&listener.name);
        let Listeners { all, counts, .. } = &mut self.listeners;
        let entry = all.entry(Arc::clone(&name)).or_insert_with(|| {
            counts.added += 1;
            Entry {
                active: None,
                warming: None,
                wait: Wait::Over,
                from_bootstrap: false,
            }
        });
        if entry.from_bootstrap {
            // As in Envoy: what the bootstrap has is nobody else's.
            return;
        }
        if let Some((active, Some(from))) = &mut entry.active
            && *active == listener
        {
            from.came(resource);
            let dropped = entry.warming.take();
            self.listeners.warming.remove(&name);
            self.release_unused(&name, dropped.map(|(listener, _)| listener));
            self.watch_extensions(&name, now);
            return;
        }
        if let Some((warming, Some(from))) = &mut entry.warming
            && **warming == *listener
        {
            from.came(resource);
            return;
        }
        counts.modified += u64::from(entry.warming.is_some() || entry.active.is_some());
        let received = Some(Received::from(resource));
        if entry.warming.is_none() {
            // A newer version does not wait anew.
            entry.wait = Wait::Until(now + PATIENCE);
        }
        let dropped = entry.warming.replace((listener, received));
        self.listeners.warming.insert(Arc::clone(&name));
        self.watch_routes(&name, now);
        self.watch_scopes(&name, now);
        self.watch_listener_secrets(&name, now);
        self.watch_extensions(&name, now);
        self.release_unused(&name, dropped.map(|(listener, _)| listener));
    }

    pub(super) fn remove_listener(&mut self, name: &str, now: Instant) {
        self.listeners.refused.remove(name);
        let known = self.listeners.all.get_key_value(name);
        let Some((name, _)) = known.filter(|(_, entry)| !entry.from_bootstrap) else {
            return;
        };
        let name = Arc::clone(name);
        self.listeners.warming.remove(&name);
        let Some(entry) = self.listeners.all.remove(&name) else {
            return;
        };
        self.listeners.counts.removed += 1;
        if entry.active.is_some() {
            self.listeners.counts.active -= 1;
            self.actions.push(Action::RemoveListener(Arc::clone(&name)));
        }
        self.watch_secrets(&User::Listener(Arc::clone(&name)), &[], now);
        self.watch_extensions(&name, now);
        let versions = [entry.active, entry.warming].into_iter().flatten();
        for (listener, _) in versions {
            self.release_unused(&name, Some(listener));
        }
    }

    /// Asks for the secrets of a listener's versions.
    pub(super) fn watch_listener_secrets(&mut self, name: &Arc<str>, now: Instant) {
        let Some(entry) = self.listeners.all.get(name) else {
            return;
        };
        let versions = [&entry.active, &entry.warming].into_iter().flatten();
        let needs: Vec<_> = versions
            .flat_map(|(listener, _)| secrets::of_listener(listener))
            .collect();
        self.watch_secrets(&User::Listener(Arc::clone(name)), &needs, now);
    }

    /// Lets go of the routes of a version that is none any more, but for those that the
    /// listener's other versions need.
    fn release_unused(&mut self, name: &str, dropped: Option<Arc<Listener>>) {
        let Some(dropped) = dropped else { return };
        let needed = self.listeners.needs(name);
        let unused: Vec<ResourceKey> = (keys(&dropped).into_iter())
            .filter(|key| !needed.iter().any(|need| need.key == *key))
            .collect();
        self.release_routes(&routes::User::Listener(name.into()), &unused);
        let needed = self.listeners.scopes(name);
        let unused: Vec<ScopesKey> = scopes_of(&dropped)
            .map(|(key, _)| key)
            .filter(|key| !needed.iter().any(|(need, _)| need == key))
            .collect();
        self.release_scopes(name, &unused);
    }

    /// Serves the listeners whose routes, filters' settings and clusters are there.
    pub(super) fn settle_listeners(&mut self, now: Instant) {
        let first_clusters = self.awaited.contains(&Kind::Cluster);
        let names: Vec<_> = self.listeners.warming.iter().cloned().collect();
        for name in names {
            let Some(entry) = self.listeners.all.get_mut(&name) else {
                self.listeners.warming.remove(&name);
                continue;
            };
            let Some((listener, _)) = &entry.warming else {
                self.listeners.warming.remove(&name);
                continue;
            };
            let routed = keys(listener)
                .into_iter()
                .all(|key| self.routes.is_there(&key));
            let scoped = scopes_of(listener).all(|(key, _)| self.scopes.are_there(&key));
            if matches!(entry.wait, Wait::Until(until) if until <= now) {
                entry.wait = Wait::Over;
            }
            let patient = !matches!(entry.wait, Wait::Over);
            let coming = |name: &&str| {
                let known = self.clusters.is_active(name);
                (patient && self.clusters.is_coming(name)) || (first_clusters && !known)
            };
            let secret = self.secrets.are_there(&secrets::of_listener(listener));
            let filters = self
                .extensions
                .are_there(&extensions::of_listener(listener));
            let names = references::of_listener(listener);
            if !routed || !scoped || !secret || !filters || names.iter().any(coming) {
                continue;
            }
            if !patient {
                self.clusters.give_up(names);
            }
            let listener = Arc::clone(listener);
            let before = entry.active.take();
            entry.active = entry.warming.take();
            self.listeners.counts.active += u64::from(before.is_none());
            self.listeners.warming.remove(&name);
            self.actions.push(Action::SetListener(listener));
            self.release_unused(&name, before.map(|(listener, _)| listener));
            self.watch_extensions(&name, now);
        }
    }
}
