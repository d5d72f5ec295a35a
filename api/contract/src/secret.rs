//! Secrets, as component declarations refer to them.

use std::collections::BTreeMap;

use crate::Error;

/// Keeps secrets. Read on the control thread only, at start.
pub trait SecretStore: Send + Sync + 'static {
    /// The parts of the secret `name`, by key. A secret of one part has the key `name`.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::Kind::NotFound) if there is no such secret.
    fn get(&self, name: &str) -> Result<BTreeMap<String, String>, Error>;
}
