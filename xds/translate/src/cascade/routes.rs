//! Route configurations that came by themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_model::route::RouteConfiguration;
use tandem_xds_client::Resource;

use super::{Action, Cascade, Kind, PATIENCE, Received, Refused, references};
use crate::error::Errors;
use crate::resource;

/// All route configurations that listeners need.
#[derive(Debug, Default)]
pub(super) struct AllRoutes {
    all: HashMap<ResourceKey, Entry>,
    pub(super) refused: HashMap<String, Refused>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The listeners that route by it.
    users: Vec<Arc<str>>,
    active: Option<(Arc<RouteConfiguration>, Received)>,
    pending: Option<Pending>,
    /// Until when the first answer is waited for.
    deadline: Option<Instant>,
    given_up: bool,
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
        let waits = (self.all.values()).filter_map(|entry| Some(entry.pending.as_ref()?.until));
        fetches.chain(waits).min()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        for entry in self.all.values_mut() {
            if entry.active.is_none() && entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.given_up = true;
                entry.deadline = None;
            }
        }
    }

    fn add_user(&mut self, need: &Subscribed, user: &Arc<str>, now: Instant) -> bool {
        let mut is_new = false;
        let entry = self.all.entry(need.key.clone()).or_insert_with(|| {
            is_new = true;
            Entry {
                deadline: need.initial_fetch_timeout.map(|timeout| now + timeout),
                ..Entry::default()
            }
        });
        if !entry.users.contains(user) {
            entry.users.push(Arc::clone(user));
        }
        is_new
    }

    fn remove_user(&mut self, key: &ResourceKey, user: &str) -> bool {
        let Some(entry) = self.all.get_mut(key) else {
            return false;
        };
        entry.users.retain(|other| &**other != user);
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
        let Some(entry) = self.routes.all.get_mut(key) else {
            // Asked for by nobody any more.
            return Ok(());
        };
        let config = match resource::routes(&resource.value, &self.clusters.names()) {
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
        let received = Received::from(resource);
        if let Some((active, from)) = &mut entry.active
            && **active == *config
        {
            *from = received;
            entry.pending = None;
            return Ok(());
        }
        entry.pending = Some(Pending {
            config,
            received,
            until: now + PATIENCE,
        });
        Ok(())
    }

    /// Asks for the routes that a listener needs.
    pub(super) fn watch_routes(&mut self, listener: &Arc<str>, now: Instant) {
        for need in self.listeners.needs(listener) {
            if self.routes.add_user(&need, listener, now) {
                let action = Action::Subscribe(Kind::Routes, need.key);
                self.actions.push(action);
            }
        }
    }

    /// Says that a listener routes by these no more.
    pub(super) fn release_routes(&mut self, listener: &str, keys: &[ResourceKey]) {
        for key in keys {
            if self.routes.remove_user(key, listener) {
                self.actions
                    .push(Action::Unsubscribe(Kind::Routes, key.clone()));
                self.actions.push(Action::RemoveRoutes(key.clone()));
            }
        }
    }

    /// Publishes the routes whose clusters are there, or waited for long enough.
    pub(super) fn settle_routes(&mut self, now: Instant) {
        let first_clusters = self.awaited.contains(&Kind::Cluster);
        for (key, entry) in &mut self.routes.all {
            let Some(pending) = &entry.pending else {
                continue;
            };
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
                entry.active = Some((ready.config, ready.received));
            }
        }
    }
}
