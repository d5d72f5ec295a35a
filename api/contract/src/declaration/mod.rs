//! How components are declared, apart from the file format: [`read`] has Dapr's YAML.

mod fault;
mod read;
mod resolve;
#[cfg(test)]
mod tests;
mod yaml;

use std::{path::PathBuf, time::Duration};

pub use self::{
    fault::{Fault, Faults, Place},
    read::{parse, read},
    resolve::{Resolved, ResolvedValue, Secrets},
};

/// Whose file the declaration comes from; some defaults depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Dapr's `Component` YAML.
    #[default]
    Dapr,
    /// Layotto's JSON configuration.
    Layotto,
}

/// What declarations may refer to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The application's id: `{appID}`, scopes, key prefixes, consumer groups.
    pub app_id: String,
    /// The namespace, if there is one (`NAMESPACE`).
    pub namespace: Option<String>,
    /// The pod's name: `{podName}`.
    pub pod_name: String,
    /// Where embedded components keep their data.
    pub data_dir: PathBuf,
}

/// A component as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its name.
    pub name: String,
    /// Its type, such as `state.redis`.
    pub kind: String,
    /// Its fields in the order of the file.
    pub fields: Vec<Field>,
    /// The applications that may use it; empty means all.
    pub scopes: Vec<String>,
    /// The store that `secretKeyRef` refers to.
    pub secret_store: Option<String>,
    /// Whether the component is to be left out if its fields are wrong. (A back-end that is down
    /// never stops the rest.)
    pub ignore_errors: bool,
    /// How long one attempt to start may take. Kept for whoever asks: nothing here waits for a
    /// back-end at start.
    pub init_timeout: Duration,
    /// Where it stands.
    pub place: Place,
    /// Whose file it is.
    pub dialect: Dialect,
}

/// One field of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// As written.
    Literal(String),
    /// A part of a secret.
    Secret {
        /// The secret.
        name: String,
        /// Its part.
        key: String,
    },
    /// An environment variable.
    Env(String),
}

impl Declaration {
    /// A declaration without fields that stands in no file: for embedded defaults.
    pub fn embedded(name: &str, kind: &str) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            fields: Vec::new(),
            scopes: Vec::new(),
            secret_store: None,
            ignore_errors: false,
            init_timeout: Duration::from_secs(5),
            place: Place::new("(built in)", 0),
            dialect: Dialect::Dapr,
        }
    }

    /// Adds a literal field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push(Field {
            name: name.into(),
            value: Value::Literal(value.into()),
            place: self.place.clone(),
        });
        self
    }
}
