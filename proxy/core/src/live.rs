//! A value that is replaced as a whole while many threads read it.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

/// A borrowed published value.
pub type Current<T> = Guard<Arc<T>>;

/// A published value; clones see the same one. Reading takes no lock.
#[derive(Debug)]
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    /// Publishes a first value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(value)))
    }

    /// Publishes a first value that others have as well.
    pub fn of(value: Arc<T>) -> Self {
        Self(Arc::new(ArcSwap::new(value)))
    }

    /// The value now, borrowed cheaply; do not hold it across an await.
    pub fn load(&self) -> Current<T> {
        self.0.load()
    }

    /// The value now, to keep.
    pub fn get(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Publishes the next value.
    pub fn publish(&self, value: T) {
        self.0.store(Arc::new(value));
    }
}

impl<T> Live<T> {
    /// Whether both are the same published value, not merely equal ones.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
