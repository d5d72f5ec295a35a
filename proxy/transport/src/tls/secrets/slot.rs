//! A place for one secret.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// Where a secret is, or will be.
#[derive(Debug)]
pub(in crate::tls) struct Slot<T>(ArcSwapOption<T>);

impl<T> Slot<T> {
    pub(in crate::tls) fn get(&self) -> Option<Arc<T>> {
        self.0.load_full()
    }

    pub(super) fn set(&self, value: T) {
        self.0.store(Some(Arc::new(value)));
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(ArcSwapOption::empty())
    }
}
