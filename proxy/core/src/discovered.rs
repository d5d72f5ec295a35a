//! Filters' settings that come by themselves, for every chain that has such a filter.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tandem_model::config_source::ResourceKey;
use tandem_model::filter::discovery::Extension;

use crate::live::Live;

/// What came of a name, if anything did.
pub type Published = Option<Arc<Extension>>;

/// The process's discovered settings by name. Clones see the same ones.
///
/// The lock is taken when something is built or published; requests read the [`Live`] they
/// were built with.
#[derive(Clone, Debug, Default)]
pub struct Extensions(Arc<Mutex<HashMap<ResourceKey, Live<Published>>>>);

impl Extensions {
    /// The settings of that name; none until some are published.
    pub fn of(&self, key: &ResourceKey) -> Live<Published> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key.clone())
            .or_insert_with(|| Live::new(None))
            .clone()
    }

    /// The settings of that name as they are now.
    pub fn now(&self, key: &ResourceKey) -> Published {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).and_then(|live| (*live.get()).clone())
    }

    /// Publishes settings, or that there are none; whoever has them sees it with the next request.
    pub fn publish(&self, key: &ResourceKey, extension: Published) {
        self.of(key).publish(extension);
    }

    /// Forgets settings that nothing is built with any more.
    pub fn remove(&self, key: &ResourceKey) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(key);
    }
}
