//! Scopes of routes that came by themselves.
//!
//! A scope is served with its routes: one whose routes are still waited for leaves what was
//! served before under its name and its key as it was.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use tandem_model::config_source::{Origin, ResourceKey, Subscribed};
use tandem_model::route::RouteConfiguration;
use tandem_model::scope::{Scope, ScopeKey, ScopeRoutes, ScopesKey};
use tandem_xds_client::{Resource, Update};

use super::claims::{self, Claimant};
use super::routes::User;
use super::{Action, Cascade, Kind, PATIENCE, Received, Refused, named, references};
use crate::error::{Error, Errors, Trail};
use crate::resource;

mod steps;

type Heard = BTreeMap<Arc<str>, (Arc<Scope>, Received)>;
/// Scopes that another has the key of, by their place in the update.
type Refusals = BTreeMap<usize, String>;
type Served = BTreeMap<Arc<str>, Arc<Scope>>;

/// A scope of an update, by itself right.
struct Came {
    /// In the update.
    place: usize,
    scope: Arc<Scope>,
    received: Received,
}

/// All scopes that listeners need.
#[derive(Debug, Default)]
pub(super) struct AllScopes {
    /// What came, by its source; `None`: nothing yet.
    sources: HashMap<ResourceKey, Option<Heard>>,
    all: HashMap<ScopesKey, Entry>,
    pub(super) refused: HashMap<String, Refused>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The listeners that route by them.
    users: Vec<Arc<str>>,
    served: Option<Served>,
    /// The route configurations that were asked for.
    asked: HashSet<ResourceKey>,
    /// Until when the first answer is waited for.
    deadline: Option<Instant>,
    given_up: bool,
    /// Until when inline routes wait for clusters.
    until: Option<Instant>,
}

impl AllScopes {
    /// Whether nobody has to wait for them.
    pub(super) fn are_there(&self, key: &ScopesKey) -> bool {
        let Some(entry) = self.all.get(key) else {
            return false;
        };
        let (Some(heard), Some(served)) = (self.heard(key), &entry.served) else {
            return entry.given_up;
        };
        let mut heard = heard.iter();
        heard.all(|(name, (scope, _))| served.get(name) == Some(scope))
    }

    /// Inline routes of what is served.
    pub(super) fn served(&self) -> impl Iterator<Item = &Arc<RouteConfiguration>> {
        let served = self.all.values().filter_map(|entry| entry.served.as_ref());
        served
            .flat_map(BTreeMap::values)
            .filter_map(|scope| inline(scope))
    }

    /// What came from a source.
    pub(super) fn dump(&self, key: &ScopesKey) -> Vec<&Received> {
        let heard = self.heard(key).into_iter().flatten();
        heard.map(|(_, (_, received))| received).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = |(key, entry): (&ScopesKey, &Entry)| {
            let fetch = entry.deadline.filter(|_| self.heard(key).is_none());
            [fetch, entry.until].into_iter().flatten().min()
        };
        self.all.iter().filter_map(waiting).min()
    }

    /// Gives up what is late; what of it never came.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ResourceKey> {
        let mut late = Vec::new();
        for (key, entry) in &mut self.all {
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.given_up = true;
                entry.deadline = None;
                if self.sources.get(&key.scopes).is_none_or(Option::is_none) {
                    late.push(key.scopes.clone());
                }
            }
        }
        late
    }

    fn heard(&self, key: &ScopesKey) -> Option<&Heard> {
        self.sources.get(&key.scopes)?.as_ref()
    }

    /// An answer was refused as a whole: nobody waits for another.
    pub(super) fn is_refused(&mut self, source: &ResourceKey) {
        for key in self.of_source(source) {
            if let Some(entry) = self.all.get_mut(&key) {
                entry.given_up = true;
                entry.deadline = None;
            }
        }
    }

    fn of_source(&self, source: &ResourceKey) -> Vec<ScopesKey> {
        let of_source = self.all.keys().filter(|key| key.scopes == *source);
        of_source.cloned().collect()
    }

    /// What a source has after an update, and what of it is refused: by its place, with who has
    /// its key. It stays as it was.
    fn next(&self, before: &Heard, update: &Update, came: Vec<Came>) -> (Heard, Refusals) {
        let named = named(update);
        let gone = |name: &str| {
            update.removed.iter().any(|gone| gone == name)
                || (update.complete && !named.contains(name))
        };
        let mut next = before.clone();
        next.retain(|name, _| !gone(name));
        let names: HashSet<&str> = came.iter().map(|one| &*one.scope.name).collect();
        let others = next.iter().filter(|(name, _)| !names.contains(&***name));
        let held: Vec<_> = others
            .map(|(name, (scope, _))| (&scope.key, &**name))
            .collect();
        let claimants: Vec<_> = (came.iter())
            .map(|one| Claimant {
                name: &one.scope.name,
                before: (next.get(&one.scope.name).into_iter())
                    .map(|(scope, _)| &scope.key)
                    .collect(),
                now: vec![&one.scope.key],
            })
            .collect();
        let refused: Refusals = (claims::refused(&held, &claimants))
            .into_iter()
            .map(|(i, (_, other))| (came[i].place, other.to_owned()))
            .collect();
        for one in came {
            if !refused.contains_key(&one.place) {
                next.insert(Arc::clone(&one.scope.name), (one.scope, one.received));
            }
        }
        (next, refused)
    }
}

fn inline(scope: &Scope) -> Option<&Arc<RouteConfiguration>> {
    match &scope.routes {
        ScopeRoutes::Inline(config) => Some(config),
        ScopeRoutes::Named(_) => None,
    }
}

/// The scopes that replace those of `served`: all that are ready, and in place of one that is
/// not what had its name or its key.
fn next_served(heard: &Heard, served: Option<&Served>, ready: impl Fn(&Scope) -> bool) -> Served {
    let (ready, waiting): (Vec<_>, Vec<_>) = (heard.iter()).partition(|(_, (one, _))| ready(one));
    let mut next: Served = (ready.into_iter())
        .map(|(name, (scope, _))| (Arc::clone(name), Arc::clone(scope)))
        .collect();
    let mut taken: HashSet<ScopeKey> = next.values().map(|scope| scope.key.clone()).collect();
    for (name, old) in served.into_iter().flatten() {
        let stands_in = |(other, (scope, _)): &(&Arc<str>, &(Arc<Scope>, Received))| {
            *other == name || scope.key == old.key
        };
        let free = !next.contains_key(name) && !taken.contains(&old.key);
        if free && waiting.iter().any(stands_in) {
            taken.insert(old.key.clone());
            next.insert(Arc::clone(name), Arc::clone(old));
        }
    }
    next
}
