//! Route configurations that came by themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tandem_model::config_source::{Origin, ResourceKey, Subscribed};
use tandem_model::route::{RouteConfiguration, Vhds};
use tandem_model::scope::ScopesKey;
use tandem_xds_client::Resource;

use super::{Action, Cascade, Kind, PATIENCE, Received, Refused, bytes, hosts, references};
use crate::error::{Error, Errors, Trail};
use crate::resource;

/// All route configurations that listeners need.
#[derive(Debug, Default)]
pub(super) struct AllRoutes {
    all: HashMap<ResourceKey, Entry>,
    pub(super) refused: HashMap<String, Refused>,
}

#[derive(Debug, Default)]
struct Entry {
    users: Vec<User>,
    /// What came, without the virtual hosts that come by themselves.
    base: Option<(Arc<RouteConfiguration>, Received)>,
    active: Option<(Arc<RouteConfiguration>, Received)>,
    pending: Option<Pending>,
    /// Whether the first virtual hosts are waited for, and until when.
    hosts: Option<Hosts>,
    /// Until when the first answer is waited for.
    deadline: Option<Instant>,
    given_up: bool,
}

impl Entry {
    /// Nobody waits for it any longer.
    fn give_up(&mut self) {
        self.given_up = true;
        self.deadline = None;
    }
}

/// Who routes by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    Listener(Arc<str>),
    Scopes(ScopesKey),
}

/// The wait for virtual hosts.
#[derive(Debug)]
struct Hosts {
    /// `None`: for ever.
    until: Option<Instant>,
}

/// Routes that wait for clusters.
#[derive(Debug)]
struct Pending {
    config: Arc<RouteConfiguration>,
    received: Received,
    /// Until when.
    until: Instant,
}

impl AllRoutes {
    /// Whether nobody has to wait for them.
    pub(super) fn is_there(&self, key: &ResourceKey) -> bool {
        let entry = self.all.get(key);
        entry.is_some_and(|entry| entry.given_up || entry.active.is_some())
    }

    /// What is served.
    pub(super) fn served(&self) -> impl Iterator<Item = &Arc<RouteConfiguration>> {
        let active = self.all.values().filter_map(|entry| entry.active.as_ref());
        active.map(|(config, _)| config)
    }

    pub(super) fn dump(&self) -> impl Iterator<Item = (&ResourceKey, &Received)> {
        (self.all.iter()).filter_map(|(key, entry)| Some((key, &entry.active.as_ref()?.1)))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let fetches = (self.all.values())
            .filter(|entry| !entry.given_up && entry.active.is_none() && entry.pending.is_none())
            .filter_map(|entry| entry.deadline);
        let waits = (self.all.values()).filter_map(|entry| match &entry.hosts {
            Some(hosts) => hosts.until,
            None => Some(entry.pending.as_ref()?.until),
        });
        fetches.chain(waits).min()
    }

    /// Gives up what is late; which routes that are, and whose virtual hosts.
    pub(super) fn expire(&mut self, now: Instant) -> (Vec<ResourceKey>, Vec<ResourceKey>) {
        let (mut routes, mut hosts) = (Vec::new(), Vec::new());
        for (key, entry) in &mut self.all {
            let late = entry.deadline.is_some_and(|deadline| deadline <= now);
            if late && entry.active.is_none() {
                // What came waits for its clusters, and was given a time for that.
                if entry.pending.is_none() {
                    routes.push(key.clone());
                }
                entry.give_up();
            }
            let late = |hosts: &Hosts| hosts.until.is_some_and(|until| until <= now);
            if entry.hosts.as_ref().is_some_and(late) {
                entry.hosts = None;
                hosts.push(key.clone());
            }
        }
        (routes, hosts)
    }

    /// A listener that routes by these.
    pub(super) fn a_listener(&self, key: &ResourceKey) -> Option<&str> {
        let mut users = self.all.get(key)?.users.iter();
        users.find_map(|user| match user {
            User::Listener(name) => Some(&**name),
            User::Scopes(_) => None,
        })
    }

    pub(super) fn is_asked_for(&self, key: &ResourceKey) -> bool {
        self.all.contains_key(key)
    }

    /// Those that somebody waits for.
    pub(super) fn waited_for(&self) -> Vec<ResourceKey> {
        let keys = self.all.keys().filter(|key| !self.is_there(key));
        keys.cloned().collect()
    }

    pub(super) fn is_missing(&mut self, key: &ResourceKey) {
        if let Some(entry) = self.all.get_mut(key) {
            entry.give_up();
        }
    }

    /// What came under a name, for one of these.
    pub(super) fn base(&self, keys: &[ResourceKey], name: &str) -> Option<&RouteConfiguration> {
        let key = keys.iter().find(|key| &*key.name == name)?;
        let (base, _) = self.all.get(key)?.base.as_ref()?;
        Some(base)
    }

    fn add_user(&mut self, need: &Subscribed, user: &User, now: Instant) -> bool {
        let mut is_new = false;
        let entry = self.all.entry(need.key.clone()).or_insert_with(|| {
            is_new = true;
            Entry {
                deadline: need.initial_fetch_timeout.map(|timeout| now + timeout),
                ..Entry::default()
            }
        });
        if !entry.users.contains(user) {
            entry.users.push(user.clone());
        }
        is_new
    }

    fn remove_user(&mut self, key: &ResourceKey, user: &User) -> bool {
        let Some(entry) = self.all.get_mut(key) else {
            return false;
        };
        entry.users.retain(|other| other != user);
        let unused = entry.users.is_empty();
        if unused {
            self.all.remove(key);
        }
        unused
    }
}

impl Cascade {
    pub(super) fn update_routes(
        &mut self,
        key: &ResourceKey,
        resource: &Resource,
        now: Instant,
    ) -> Result<(), Errors> {
        let Some(entry) = self.routes.all.get(key) else {
            // Asked for by nobody any more.
            return Ok(());
        };
        let is_same = |(_, from): &&(_, Received)| from.is(resource);
        let judged = match entry.base.as_ref().filter(is_same) {
            Some((config, _)) => Ok(Arc::clone(config)),
            None => self.judge_routes(resource),
        };
        let config = match judged {
            Ok(config) => config,
            Err(errors) => {
                let refused = Refused {
                    received: Received::from(resource),
                    reason: errors.to_string(),
                };
                self.routes.refused.insert(resource.name.clone(), refused);
                return Err(errors);
            }
        };
        self.routes.refused.remove(&resource.name);
        self.watch_hosts(key, config.vhds.as_ref());
        if let Some(entry) = self.routes.all.get_mut(key) {
            let vhds = config.vhds.as_ref();
            let vhds = vhds.filter(|vhds| entry.active.is_none() && !self.hosts.came(vhds));
            entry.hosts = vhds.map(|vhds| Hosts {
                until: (vhds.source.initial_fetch_timeout).map(|timeout| now + timeout),
            });
            let received = match entry.base.take() {
                Some((_, mut received)) => {
                    received.came(resource);
                    received
                }
                None => Received::from(resource),
            };
            entry.base = Some((config, received));
        }
        self.assemble_routes(key, now);
        Ok(())
    }

    fn judge_routes(&self, resource: &Resource) -> Result<Arc<RouteConfiguration>, Errors> {
        let known = |name: &str| self.clusters.knows(name);
        let config = resource::routes(bytes(resource)?, &known)?;
        let refuse = |field, reason: String| {
            Err(Errors::from(Error::new(&Trail::ROOT.field(field), reason)))
        };
        let over_ads = |vhds: &Vhds| vhds.source.origin == Origin::Ads;
        if config.vhds.as_ref().is_some_and(over_ads) && !self.delta {
            let reason = "expected an ads_config of api_type DELTA_GRPC, or a source of its own";
            return refuse("vhds", reason.to_owned());
        }
        match hosts::once_each(&self.hosts.whole(&config)) {
            Ok(()) => Ok(config),
            Err(reason) => refuse("virtual_hosts", reason),
        }
    }

    /// Takes what came of a route configuration together, to be served when it is ready.
    pub(super) fn assemble_routes(&mut self, key: &ResourceKey, now: Instant) {
        let Some(entry) = self.routes.all.get_mut(key) else {
            return;
        };
        let Some((base, received)) = &entry.base else {
            return;
        };
        // A newer version does not wait anew, or updates in a row would hold one another back.
        let waiting = entry.pending.as_ref().filter(|_| entry.hosts.is_none());
        let until = waiting.map_or(now + PATIENCE, |pending| pending.until);
        if base.vhds.as_ref().is_some_and(|vhds| self.hosts.came(vhds)) {
            entry.hosts = None;
        }
        let config = self.hosts.whole(base);
        if let Some((active, from)) = &mut entry.active
            && **active == *config
        {
            from.clone_from(received);
            entry.pending = None;
            return;
        }
        entry.pending = Some(Pending {
            config,
            received: received.clone(),
            until,
        });
    }

    /// Asks for the routes that a listener needs.
    pub(super) fn watch_routes(&mut self, listener: &Arc<str>, now: Instant) {
        let needs = self.listeners.needs(listener);
        self.need_routes(&User::Listener(Arc::clone(listener)), needs, now);
    }

    /// Asks for these routes.
    pub(super) fn need_routes(&mut self, user: &User, needs: Vec<Subscribed>, now: Instant) {
        for need in needs {
            if self.routes.add_user(&need, user, now) {
                let action = Action::Subscribe(Kind::Routes, need.key);
                self.actions.push(action);
            }
        }
    }

    /// Says that somebody routes by these no more.
    pub(super) fn release_routes(&mut self, user: &User, keys: &[ResourceKey]) {
        for key in keys {
            if self.routes.remove_user(key, user) {
                self.routes.refused.remove(&*key.name);
                self.actions
                    .push(Action::Unsubscribe(Kind::Routes, key.clone()));
                self.actions.push(Action::RemoveRoutes(key.clone()));
                self.watch_hosts(key, None);
            }
        }
    }

    /// Publishes the routes whose clusters are there, or waited for long enough.
    pub(super) fn settle_routes(&mut self, now: Instant) {
        let first_clusters = self.awaited.contains(&Kind::Cluster);
        let mut overdue = Vec::new();
        for (key, entry) in &mut self.routes.all {
            let Some(pending) = &entry.pending else {
                continue;
            };
            if entry.hosts.is_some() {
                continue;
            }
            let patient = pending.until > now;
            let coming = |name: &&str| {
                let known = self.clusters.is_active(name);
                self.clusters.is_coming(name) || (first_clusters && !known)
            };
            if patient && references::of_routes(&pending.config).any(|name| coming(&name)) {
                continue;
            }
            if let Some(ready) = entry.pending.take() {
                let action = Action::SetRoutes(key.clone(), Arc::clone(&ready.config));
                self.actions.push(action);
                if !patient {
                    overdue.push(Arc::clone(&ready.config));
                }
                entry.active = Some((ready.config, ready.received));
            }
        }
        for config in overdue {
            self.clusters.give_up(references::of_routes(&config));
        }
    }
}
