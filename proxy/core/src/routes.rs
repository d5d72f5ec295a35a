//! Route configurations that come by themselves, for everyone who routes by them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tandem_model::config_source::ResourceKey;
use tandem_model::matching::RouteTable;
use tandem_model::route::RouteConfiguration;

use crate::live::Live;
use crate::scopes::AllScopes;

/// The process's route tables by name. Clones see the same ones.
///
/// The lock is taken when something is built or published; requests read the [`Live`] they
/// were built with.
#[derive(Clone, Debug, Default)]
pub struct RouteTables(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    tables: Mutex<HashMap<ResourceKey, Live<RouteTable>>>,
    /// What stands in the place of a table that has not come.
    nothing: Arc<RouteTable>,
    pub(crate) scopes: AllScopes,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            tables: Mutex::default(),
            nothing: Arc::new(RouteTable::new(Arc::default())),
            scopes: AllScopes::default(),
        }
    }
}

impl RouteTables {
    /// The table of that name; empty until one is published.
    pub fn table(&self, key: &ResourceKey) -> Live<RouteTable> {
        let mut tables = self.0.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || Live::of(Arc::clone(&self.0.nothing));
        tables.entry(key.clone()).or_insert_with(empty).clone()
    }

    /// The table of that name as it is now, if it has come.
    pub fn now(&self, key: &ResourceKey) -> Option<Arc<RouteTable>> {
        let tables = self.0.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.get(key).map(Live::get)?;
        (!Arc::ptr_eq(&table, &self.0.nothing)).then_some(table)
    }

    /// Publishes a table; whoever has it sees it with the next request.
    pub fn publish(&self, key: &ResourceKey, config: Arc<RouteConfiguration>) {
        // The index is built before the lock is taken, and once for all workers.
        let table = RouteTable::new(config);
        self.table(key).publish(table);
    }

    /// Forgets a table that nothing is built with any more.
    pub fn remove(&self, key: &ResourceKey) {
        let mut tables = self.0.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.remove(key);
    }
}
