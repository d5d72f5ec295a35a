//! Endpoints by the name under which they are asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tandem_model::cluster::LoadAssignment;
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_xds_client::Resource;

use super::{Action, Cascade, Heard, Kind, Received, Refused, bytes};
use crate::error::Errors;
use crate::resource;

/// All assignments that clusters need.
#[derive(Debug, Default)]
pub(super) struct AllEndpoints {
    all: HashMap<ResourceKey, Entry>,
    /// Until when the first answer is waited for. Apart from the others: an update of one cluster
    /// must not look at all of them.
    waiting: HashMap<ResourceKey, Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The clusters that have these endpoints.
    users: Vec<Arc<str>>,
    latest: Option<Arc<LoadAssignment>>,
    received: Option<Received>,
    /// Of the answer that they came with last.
    version: Arc<str>,
    refused: Option<Refused>,
    given_up: bool,
}

impl AllEndpoints {
    /// Whether nobody has to wait for them.
    pub(super) fn are_there(&self, key: &ResourceKey) -> bool {
        let entry = self.all.get(key);
        entry.is_some_and(|entry| entry.given_up || entry.latest.is_some())
    }

    /// What they are, if they have come.
    pub(super) fn get(&self, key: &ResourceKey) -> Option<Arc<LoadAssignment>> {
        self.all.get(key)?.latest.clone()
    }

    /// Those that somebody waits for.
    pub(super) fn waited_for(&self) -> Vec<ResourceKey> {
        let entries = self.all.iter();
        let waited_for = entries.filter(|(_, entry)| !entry.given_up && entry.latest.is_none());
        waited_for.map(|(key, _)| key.clone()).collect()
    }

    /// The version of the answer that they came with last, if they have come.
    pub(super) fn version(&self, key: &ResourceKey) -> Option<&Arc<str>> {
        let entry = self.all.get(key)?;
        entry.latest.as_ref().map(|_| &entry.version)
    }

    /// Says that a cluster needs them; whether they must be asked for.
    pub(super) fn add_user(&mut self, need: &Subscribed, user: &Arc<str>, now: Instant) -> bool {
        let mut is_new = false;
        let entry = self.all.entry(need.key.clone()).or_insert_with(|| {
            is_new = true;
            Entry::default()
        });
        if !entry.users.contains(user) {
            entry.users.push(Arc::clone(user));
        }
        if let (true, Some(timeout)) = (is_new, need.initial_fetch_timeout) {
            self.waiting.insert(need.key.clone(), now + timeout);
        }
        is_new
    }

    /// Says that a cluster needs them no more; whether nobody else does.
    pub(super) fn remove_user(&mut self, key: &ResourceKey, user: &str) -> bool {
        let Some(entry) = self.all.get_mut(key) else {
            return false;
        };
        entry.users.retain(|other| &**other != user);
        let unused = entry.users.is_empty();
        if unused {
            self.all.remove(key);
            self.waiting.remove(key);
        }
        unused
    }

    /// Each cluster that has them, what came and what of it was refused last.
    pub(super) fn dump(
        &self,
    ) -> impl Iterator<Item = (&Arc<str>, &ResourceKey, Option<&Received>, Option<&Refused>)> {
        self.all.iter().flat_map(|(key, entry)| {
            let state = (entry.received.as_ref(), entry.refused.as_ref());
            let users = entry.users.iter();
            users.map(move |user| (user, key, state.0, state.1))
        })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().min().copied()
    }

    /// Gives up what is late; what that is.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ResourceKey> {
        let over = (self.waiting).extract_if(|_, deadline| *deadline <= now);
        let late: Vec<ResourceKey> = over.map(|(key, _)| key).collect();
        late.iter().for_each(|key| self.is_missing(key));
        late
    }

    /// The clusters that have them.
    pub(super) fn users(&self, key: &ResourceKey) -> &[Arc<str>] {
        let entry = self.all.get(key);
        entry.map_or(&[][..], |entry| entry.users.as_slice())
    }

    /// Nobody waits for it any longer.
    pub(super) fn is_missing(&mut self, key: &ResourceKey) {
        self.waiting.remove(key);
        if let Some(entry) = self.all.get_mut(key) {
            entry.given_up = true;
        }
    }
}

impl Cascade {
    pub(super) fn update_endpoints(
        &mut self,
        key: &ResourceKey,
        resource: &Resource,
        version: &Arc<str>,
    ) -> Result<(), Errors> {
        let Some(entry) = self.endpoints.all.get_mut(key) else {
            // Asked for by nobody any more.
            return Ok(());
        };
        let assignment = bytes(resource)
            .and_then(resource::endpoints)
            .inspect_err(|errors| {
                entry.refused = Some(Refused::new(resource, errors));
            })?;
        entry.refused = None;
        match &mut entry.received {
            Some(received) => received.came(resource),
            None => entry.received = Some(Received::from(resource)),
        }
        entry.version.clone_from(version);
        let heard: fn(Arc<str>) -> Heard = match &entry.latest {
            Some(latest) if **latest == assignment => Heard::Unchanged,
            _ => Heard::Accepted,
        };
        let heard = heard(Arc::clone(version));
        let is_news = matches!(heard, Heard::Accepted(_));
        let assignment = Arc::new(assignment);
        let users = entry.users.iter();
        for user in users.filter(|user| self.clusters.is_served_with(user, key)) {
            if is_news {
                let action = Action::SetEndpoints(Arc::clone(user), Arc::clone(&assignment));
                self.actions.push(action);
            }
            let told = Action::EndpointsHeard(Arc::clone(user), heard.clone());
            self.actions.push(told);
        }
        if is_news {
            entry.latest = Some(assignment);
            self.endpoints.waiting.remove(key);
        }
        Ok(())
    }

    /// Asks for the endpoints of the latest version of a cluster, if it needs any.
    pub(super) fn watch_endpoints(&mut self, cluster: &Arc<str>, now: Instant) {
        let Some(need) = self.clusters.needs(cluster) else {
            return;
        };
        if self.endpoints.add_user(&need, cluster, now) {
            let action = Action::Subscribe(Kind::Endpoints, need.key);
            self.actions.push(action);
        }
    }
}
