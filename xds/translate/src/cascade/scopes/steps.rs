//! What happens to scopes.

use super::super::bytes;
use super::*;

impl Cascade {
    pub(in super::super) fn update_scopes(
        &mut self,
        origin: &Origin,
        update: &Update,
        now: Instant,
        faults: &mut Vec<(String, Errors)>,
    ) {
        let source = ResourceKey {
            origin: origin.clone(),
            name: "*".into(),
        };
        let users = self.scopes.of_source(&source);
        for name in &update.removed {
            self.scopes.refused.remove(name);
        }
        if update.complete {
            let there = named(update);
            (self.scopes.refused).retain(|name, _| there.contains(&**name));
        }
        let named = users.iter().all(|key| key.rds.is_some());
        let mut came = Vec::new();
        for (place, one) in update.added.iter().enumerate() {
            match self.judge_scope(one, named) {
                Ok(scope) => {
                    self.scopes.refused.remove(&one.name);
                    let received = Received::from(one);
                    came.push(Came {
                        place,
                        scope,
                        received,
                    });
                }
                Err(errors) => self.refuse_scope(one, errors, faults),
            }
        }
        let Some(before) = self.scopes.sources.get(&source) else {
            // Asked for by nobody any more.
            return;
        };
        let before = before.clone().unwrap_or_default();
        for one in &mut came {
            let known = before.get(&one.scope.name).map(|(_, known)| known);
            if let Some(known) = known.filter(|known| known.bytes == one.received.bytes) {
                one.received.clone_from(known);
            }
        }
        let (next, refused) = self.scopes.next(&before, update, came);
        self.scopes.sources.insert(source, Some(next));
        for (place, other) in refused {
            let taken = format!("expected every key once, '{other}' has it already");
            let error = Error::new(&Trail::ROOT.field("key"), taken);
            self.refuse_scope(&update.added[place], error.into(), faults);
        }
        for key in users {
            if let Some(entry) = self.scopes.all.get_mut(&key) {
                // A newer update does not wait anew.
                entry.until.get_or_insert(now + PATIENCE);
            }
            self.ask_routes(&key, now);
        }
    }

    fn judge_scope(&self, one: &Resource, named: bool) -> Result<Arc<Scope>, Errors> {
        let scope = resource::scope(bytes(one)?, &|name| self.clusters.knows(name))?;
        if !named && matches!(scope.routes, ScopeRoutes::Named(_)) {
            let field = Trail::ROOT.field("route_configuration_name");
            let missing = "expected scoped_routes with an rds_config_source, to ask for them";
            return Err(Error::new(&field, missing).into());
        }
        Ok(scope)
    }

    fn refuse_scope(&mut self, one: &Resource, errors: Errors, faults: &mut Vec<(String, Errors)>) {
        let refused = Refused {
            received: Received::from(one),
            reason: errors.to_string(),
        };
        self.scopes.refused.insert(one.name.clone(), refused);
        faults.push((one.name.clone(), errors));
    }

    /// Asks for the scopes that a listener needs.
    pub(in super::super) fn watch_scopes(&mut self, listener: &Arc<str>, now: Instant) {
        for (key, need) in self.listeners.scopes(listener) {
            if !self.scopes.sources.contains_key(&key.scopes) {
                self.scopes.sources.insert(key.scopes.clone(), None);
                let action = Action::Subscribe(Kind::Scopes, key.scopes.clone());
                self.actions.push(action);
            }
            let Subscribed {
                initial_fetch_timeout: timeout,
                ..
            } = need;
            let entry = self.scopes.all.entry(key.clone()).or_insert_with(|| Entry {
                deadline: timeout.map(|timeout| now + timeout),
                ..Entry::default()
            });
            if !entry.users.contains(listener) {
                entry.users.push(Arc::clone(listener));
            }
            self.ask_routes(&key, now);
        }
    }

    /// Says that a listener routes by these no more.
    pub(in super::super) fn release_scopes(&mut self, listener: &str, keys: &[ScopesKey]) {
        for key in keys {
            let Some(entry) = self.scopes.all.get_mut(key) else {
                continue;
            };
            entry.users.retain(|other| &**other != listener);
            if !entry.users.is_empty() {
                continue;
            }
            let asked: Vec<_> = entry.asked.drain().collect();
            self.scopes.all.remove(key);
            self.actions.push(Action::RemoveScopes(key.clone()));
            self.release_routes(&User::Scopes(key.clone()), &asked);
            if self.scopes.of_source(&key.scopes).is_empty() {
                self.scopes.sources.remove(&key.scopes);
                let action = Action::Unsubscribe(Kind::Scopes, key.scopes.clone());
                self.actions.push(action);
            }
        }
    }

    /// Asks for the route configurations that scopes name.
    fn ask_routes(&mut self, key: &ScopesKey, now: Instant) {
        let heard = self.scopes.heard(key).into_iter().flatten();
        let needs: Vec<Subscribed> = heard
            .filter_map(|(_, (scope, _))| scope.wanted(key.rds.as_ref()))
            .collect();
        let Some(entry) = self.scopes.all.get_mut(key) else {
            return;
        };
        let new: Vec<_> = (needs.into_iter())
            .filter(|need| entry.asked.insert(need.key.clone()))
            .collect();
        self.need_routes(&User::Scopes(key.clone()), new, now);
    }

    /// Publishes the scopes whose routes are there, or were waited for long enough.
    pub(in super::super) fn settle_scopes(&mut self, now: Instant) {
        let first_clusters = self.awaited.contains(&Kind::Cluster);
        let mut unused = Vec::new();
        let keys: Vec<_> = self.scopes.all.keys().cloned().collect();
        for key in keys {
            let Some(heard) = self.scopes.heard(&key) else {
                continue;
            };
            let Some(entry) = self.scopes.all.get(&key) else {
                continue;
            };
            let patient = entry.until.is_some_and(|until| until > now);
            let coming = |name: &str| {
                let known = self.clusters.is_active(name);
                self.clusters.is_coming(name) || (first_clusters && !known)
            };
            let ready = |scope: &Scope| match &scope.routes {
                ScopeRoutes::Inline(config) => {
                    !patient || !references::of_routes(config).any(coming)
                }
                ScopeRoutes::Named(_) => (scope.wanted(key.rds.as_ref()))
                    .is_some_and(|need| self.routes.is_there(&need.key)),
            };
            let next = next_served(heard, entry.served.as_ref(), ready);
            let all_inline = heard.values().filter(|(scope, _)| inline(scope).is_some());
            let settled = all_inline.into_iter().all(|(scope, _)| ready(scope));
            let overdue = entry.until.filter(|_| !patient);
            let overdue: Vec<_> = (heard.values().filter(|_| overdue.is_some()))
                .filter_map(|(scope, _)| inline(scope).cloned())
                .collect();
            let needed: HashSet<ResourceKey> = (heard.values().map(|(scope, _)| scope))
                .chain(next.values())
                .filter_map(|scope| Some(scope.wanted(key.rds.as_ref())?.key))
                .collect();
            let Some(entry) = self.scopes.all.get_mut(&key) else {
                continue;
            };
            if settled {
                entry.until = None;
            }
            for config in &overdue {
                self.clusters.give_up(references::of_routes(config));
            }
            if entry.served.as_ref() != Some(&next) {
                let scopes = next.values().cloned().collect();
                self.actions.push(Action::SetScopes(key.clone(), scopes));
                entry.served = Some(next);
            }
            let left: Vec<_> = entry.asked.difference(&needed).cloned().collect();
            entry.asked.retain(|asked| needed.contains(asked));
            unused.push((key, left));
        }
        for (key, left) in unused {
            self.release_routes(&User::Scopes(key), &left);
        }
    }
}
