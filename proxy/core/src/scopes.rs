//! Scopes of routes, for everyone who routes by them: which route table a key takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tandem_model::config_source::ConfigSource;
use tandem_model::matching::RouteTable;
use tandem_model::scope::{Scope, ScopeKey, ScopeRoutes, ScopesKey};

use crate::live::Live;
use crate::routes::RouteTables;

/// Which routes a key takes.
#[derive(Debug, Default)]
pub struct ScopeTable(Vec<Place>);

/// One scope.
#[derive(Clone, Debug)]
pub struct Place {
    /// The scope's name.
    pub name: Arc<str>,
    /// The key of the requests that take it.
    pub key: ScopeKey,
    /// Their routes.
    pub routes: Live<RouteTable>,
    /// Where these come from.
    pub source: ScopeRoutes,
}

/// Scopes by who sends them.
pub(crate) type AllScopes = Mutex<HashMap<ScopesKey, Live<ScopeTable>>>;

impl RouteTables {
    /// The scopes of that name; none until they are published.
    pub fn scopes(&self, key: &ScopesKey) -> Live<ScopeTable> {
        let mut all = self.0.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || Live::new(ScopeTable::default());
        all.entry(key.clone()).or_insert_with(empty).clone()
    }

    /// The scopes of that name as they are now, if anybody asked for them or published them.
    pub fn scopes_now(&self, key: &ScopesKey) -> Option<Arc<ScopeTable>> {
        let all = self.0.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).map(Live::get)
    }

    /// Publishes scopes; whoever has them sees them with the next request.
    pub fn publish_scopes(&self, key: &ScopesKey, scopes: &[Arc<Scope>]) {
        let table = self.scopes(key);
        let next = self.places(scopes, key.rds.as_ref(), Some(&table.load()));
        table.publish(next);
    }

    /// Forgets scopes that nothing is built with any more.
    pub fn remove_scopes(&self, key: &ScopesKey) {
        let mut all = self.0.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(key);
    }

    /// Scopes that stand in a connection manager.
    pub fn inline_scopes(&self, scopes: &[Arc<Scope>], rds: Option<&ConfigSource>) -> ScopeTable {
        self.places(scopes, rds, None)
    }

    fn places(
        &self,
        scopes: &[Arc<Scope>],
        rds: Option<&ConfigSource>,
        before: Option<&ScopeTable>,
    ) -> ScopeTable {
        let before: HashMap<&ScopeKey, &Place> = (before.into_iter())
            .flat_map(|before| &before.0)
            .map(|place| (&place.key, place))
            .collect();
        let place = |scope: &Arc<Scope>| {
            if let Some(same) = before.get(&scope.key)
                && same.source == scope.routes
            {
                return Place {
                    name: Arc::clone(&scope.name),
                    ..(*same).clone()
                };
            }
            let routes = match (&scope.routes, scope.wanted(rds)) {
                (ScopeRoutes::Inline(config), _) => Live::new(RouteTable::new(Arc::clone(config))),
                (ScopeRoutes::Named(_), Some(need)) => self.table(&need.key),
                (ScopeRoutes::Named(_), None) => Live::new(RouteTable::new(Arc::default())),
            };
            Place {
                name: Arc::clone(&scope.name),
                key: scope.key.clone(),
                routes,
                source: scope.routes.clone(),
            }
        };
        ScopeTable(scopes.iter().map(place).collect())
    }
}

impl ScopeTable {
    /// All scopes; no key stands twice.
    pub fn places(&self) -> &[Place] {
        &self.0
    }
}
