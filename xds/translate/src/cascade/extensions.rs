//! Filters' settings by the name under which they are asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tandem_model::Listener;
use tandem_model::config_source::{Origin, ResourceKey};
use tandem_model::filter::FilterSource;
use tandem_model::filter::discovery::{Discovery, Extension};
use tandem_model::listener::NetworkFilter;
use tandem_xds_client::Resource;

use super::{Action, Cascade, Kind, Received, Refused, bytes};
use crate::error::{Error, Errors, Trail};
use crate::resource;

/// All settings that listeners' filters need.
#[derive(Debug, Default)]
pub(super) struct AllExtensions {
    all: HashMap<ResourceKey, Entry>,
    pub(super) refused: HashMap<String, Refused>,
}

#[derive(Debug, Default)]
struct Entry {
    users: Vec<User>,
    active: Option<(Arc<Extension>, Received)>,
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

/// A listener's filter that needs it.
#[derive(Debug)]
struct User {
    listener: Arc<str>,
    need: Arc<Discovery>,
    /// Whether it is one of the listener's newest version.
    newest: bool,
}

/// What a listener's filters need.
pub(super) fn of_listener(listener: &Listener) -> Vec<Arc<Discovery>> {
    let mut needs: Vec<Arc<Discovery>> = Vec::new();
    for chain in listener.chains() {
        let NetworkFilter::Http(manager) = &chain.filter else {
            continue;
        };
        for filter in &manager.http_filters {
            if let FilterSource::Discovered(discovery) = &filter.config
                && !needs.contains(discovery)
            {
                needs.push(Arc::clone(discovery));
            }
        }
    }
    needs
}

impl AllExtensions {
    /// Whether nobody has to wait for what these need.
    pub(super) fn are_there(&self, needs: &[Arc<Discovery>]) -> bool {
        let there = |need: &Arc<Discovery>| {
            let entry = self.all.get(&need.need.key);
            let come = entry.is_some_and(|entry| entry.given_up || entry.active.is_some());
            come || need.apply_default_without_warming
        };
        needs.iter().all(there)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self.all.values();
        let waiting = waiting.filter(|entry| entry.active.is_none() && !entry.given_up);
        waiting.filter_map(|entry| entry.deadline).min()
    }

    /// Gives up what is late; what that is.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ResourceKey> {
        let mut late = Vec::new();
        for (key, entry) in &mut self.all {
            if entry.active.is_none() && entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.give_up();
                late.push(key.clone());
            }
        }
        late
    }

    pub(super) fn is_asked_for(&self, key: &ResourceKey) -> bool {
        self.all.contains_key(key)
    }

    /// Those that somebody waits for.
    pub(super) fn waited_for(&self) -> Vec<ResourceKey> {
        let entries = self.all.iter();
        let waited_for = entries.filter(|(_, entry)| entry.active.is_none() && !entry.given_up);
        waited_for.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn is_missing(&mut self, key: &ResourceKey) {
        if let Some(entry) = self.all.get_mut(key) {
            entry.give_up();
        }
    }

    pub(super) fn dump(&self) -> impl Iterator<Item = (&ResourceKey, &Received)> {
        (self.all.iter()).filter_map(|(key, entry)| Some((key, &entry.active.as_ref()?.1)))
    }
}

impl Cascade {
    /// Asks for what the filters of a listener's versions need, and lets go of what they needed
    /// only before.
    pub(super) fn watch_extensions(&mut self, listener: &Arc<str>, now: Instant) {
        let needs = self.listeners.extensions(listener);
        for entry in self.extensions.all.values_mut() {
            entry.users.retain(|user| user.listener != *listener);
        }
        for (need, newest) in needs {
            let key = &need.need.key;
            if !self.extensions.all.contains_key(key) {
                (self.actions).push(Action::Subscribe(Kind::Extension, key.clone()));
            }
            let entry = self.extensions.all.entry(key.clone());
            let timeout = need.need.initial_fetch_timeout;
            let entry = entry.or_insert_with(|| Entry {
                deadline: timeout.map(|timeout| now + timeout),
                ..Entry::default()
            });
            entry.users.push(User {
                listener: Arc::clone(listener),
                need,
                newest,
            });
        }
        let unused = self.extensions.all.iter();
        let unused = unused.filter(|(_, entry)| entry.users.is_empty());
        let unused: Vec<_> = unused.map(|(key, _)| key.clone()).collect();
        for key in unused {
            self.extensions.all.remove(&key);
            self.extensions.refused.remove(&*key.name);
            self.actions
                .push(Action::Unsubscribe(Kind::Extension, key.clone()));
            self.actions.push(Action::RemoveExtension(key));
        }
    }

    pub(super) fn update_extension(
        &mut self,
        key: &ResourceKey,
        resource: &Resource,
    ) -> Result<(), Errors> {
        let Some(entry) = self.extensions.all.get_mut(key) else {
            // Asked for by nobody any more.
            return Ok(());
        };
        let judged = bytes(resource).and_then(resource::extension);
        let extension = match judged.and_then(|extension| fits(entry, extension)) {
            Ok(extension) => extension,
            Err(errors) => {
                let refused = Refused {
                    received: Received::from(resource),
                    reason: errors.to_string(),
                };
                (self.extensions.refused).insert(resource.name.clone(), refused);
                return Err(errors);
            }
        };
        self.extensions.refused.remove(&resource.name);
        if let Some((active, from)) = &mut entry.active
            && **active == *extension
        {
            from.came(resource);
            return Ok(());
        }
        let action = Action::SetExtension(key.clone(), Some(Arc::clone(&extension)));
        self.actions.push(action);
        entry.active = Some((extension, Received::from(resource)));
        entry.deadline = None;
        Ok(())
    }

    /// A control plane took settings back: the filters' defaults hold.
    pub(super) fn remove_extensions(&mut self, origin: &Origin, names: &[String]) {
        let all = self.extensions.all.iter_mut();
        let meant = |key: &ResourceKey| {
            let named = names.iter().any(|name| **name == *key.name);
            named && key.origin == *origin
        };
        for (key, entry) in all.filter(|(key, _)| meant(key)) {
            if entry.active.take().is_some() {
                // Nobody waits for it again: it was an answer.
                entry.given_up = true;
                (self.actions).push(Action::SetExtension(key.clone(), None));
            }
        }
    }
}

/// Every filter of that name has to take it, as in Envoy; but a version that is about to go does
/// not hold back the next one.
fn fits(entry: &Entry, extension: Arc<Extension>) -> Result<Arc<Extension>, Errors> {
    for User { listener, need, .. } in entry.users.iter().filter(|user| user.newest) {
        if !need.takes(&extension.type_name) {
            let reason = format!(
                "expected one of the type_urls that listener '{listener}' takes ({}), got '{}'",
                need.types.join(", "),
                extension.type_name
            );
            return Err(Error::new(&Trail::ROOT.field("typed_config"), reason).into());
        }
    }
    Ok(extension)
}
