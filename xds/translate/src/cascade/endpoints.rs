//! Endpoints by the name under which they are asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tandem_model::cluster::LoadAssignment;
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_xds_client::Resource;

use super::{Action, Cascade, Kind};
use crate::error::Errors;
use crate::resource;

/// All assignments that clusters need.
#[derive(Debug, Default)]
pub(super) struct AllEndpoints(HashMap<ResourceKey, Entry>);

#[derive(Debug, Default)]
struct Entry {
    /// The clusters that have these endpoints.
    users: Vec<Arc<str>>,
    latest: Option<LoadAssignment>,
    /// Until when the first answer is waited for.
    deadline: Option<Instant>,
    given_up: bool,
}

impl AllEndpoints {
    /// What they are; nothing while they are waited for.
    pub(super) fn get(&self, key: &ResourceKey) -> Option<LoadAssignment> {
        let entry = self.0.get(key)?;
        match &entry.latest {
            None if entry.given_up => Some(LoadAssignment::default()),
            latest => latest.clone(),
        }
    }

    /// Says that a cluster needs them; whether they must be asked for.
    pub(super) fn add_user(&mut self, need: &Subscribed, user: &Arc<str>, now: Instant) -> bool {
        let mut is_new = false;
        let entry = self.0.entry(need.key.clone()).or_insert_with(|| {
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

    /// Says that a cluster needs them no more; whether nobody else does.
    pub(super) fn remove_user(&mut self, key: &ResourceKey, user: &str) -> bool {
        let Some(entry) = self.0.get_mut(key) else {
            return false;
        };
        entry.users.retain(|other| &**other != user);
        let unused = entry.users.is_empty();
        if unused {
            self.0.remove(key);
        }
        unused
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting().map(|(_, deadline)| deadline).min()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        for entry in self.0.values_mut() {
            if entry.latest.is_none() && entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.given_up = true;
                entry.deadline = None;
            }
        }
    }

    fn waiting(&self) -> impl Iterator<Item = (&ResourceKey, Instant)> {
        self.0.iter().filter_map(|(key, entry)| {
            let waits = entry.latest.is_none() && !entry.given_up;
            Some((key, entry.deadline.filter(|_| waits)?))
        })
    }
}

impl Cascade {
    pub(super) fn update_endpoints(
        &mut self,
        key: &ResourceKey,
        resource: &Resource,
    ) -> Result<(), Errors> {
        let Some(entry) = self.endpoints.0.get_mut(key) else {
            // Asked for by nobody any more.
            return Ok(());
        };
        let assignment = resource::endpoints(&resource.value)?;
        if entry.latest.as_ref() == Some(&assignment) {
            return Ok(());
        }
        for user in &entry.users {
            if self.clusters.is_active(user) {
                let action = Action::SetEndpoints(Arc::clone(user), assignment.clone());
                self.actions.push(action);
            }
        }
        entry.latest = Some(assignment);
        entry.deadline = None;
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
