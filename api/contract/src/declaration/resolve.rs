//! From what is written to values: secrets and environment variables are looked up.

use std::{collections::HashMap, env, sync::Arc};

use super::{Declaration, Fault, Faults, Place, Value};
use crate::secret::SecretStore;

/// The secret stores that declarations may refer to, by name.
pub type Secrets = HashMap<String, Arc<dyn SecretStore>>;

/// A declaration whose values are all known: what factories read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The component's name.
    pub name: Box<str>,
    /// Its type.
    pub kind: Box<str>,
    /// Where it stands.
    pub place: Place,
    pub(crate) values: Vec<ResolvedValue>,
}

/// One value.
#[derive(Clone, PartialEq, Eq)]
pub struct ResolvedValue {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl std::fmt::Debug for ResolvedValue {
    /// Without the value, which may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResolvedValue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Declaration {
    /// Looks up what the fields refer to.
    ///
    /// # Errors
    /// If `auth.secretStore` is absent where it is needed, or names no store; if a secret, its key
    /// or an environment variable is not there.
    pub fn resolve(&self, secrets: &Secrets) -> Result<Resolved, Faults> {
        let (mut values, mut faults) = (Vec::new(), Vec::new());
        for field in &self.fields {
            let text = match &field.value {
                Value::Literal(text) => Ok(text.clone()),
                Value::Env(variable) => env::var(variable).map_err(|_| {
                    let name = &field.name;
                    let message =
                        format!("field '{name}': the environment has no variable '{variable}'");
                    field.place.fault(message)
                }),
                Value::Secret { name, key } => self
                    .secret(secrets, name, key)
                    .map_err(|why| field.place.fault(format!("field '{}': {why}", field.name))),
            };
            match text {
                Err(fault) => faults.push(fault),
                Ok(text) => values.push(ResolvedValue {
                    name: field.name.clone(),
                    text,
                    place: field.place.clone(),
                }),
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(Resolved {
            name: self.name.as_str().into(),
            kind: self.kind.as_str().into(),
            place: self.place.clone(),
            values,
        })
    }

    fn secret(&self, secrets: &Secrets, name: &str, key: &str) -> Result<String, String> {
        let Some(store) = &self.secret_store else {
            return Err("secretKeyRef needs 'auth.secretStore' to name a secret store".into());
        };
        let Some(store) = secrets.get(store) else {
            return Err(format!(
                "auth.secretStore '{store}' is not declared as a component"
            ));
        };
        let parts = store.get(name).map_err(|error| error.to_string())?;
        match parts.get(key) {
            Some(value) => Ok(value.clone()),
            None => Err(format!("secret '{name}' has no key '{key}'")),
        }
    }
}

impl From<&Declaration> for Fault {
    /// A declaration of a type that nobody knows.
    fn from(declaration: &Declaration) -> Self {
        declaration.place.fault(format!(
            "component type '{}' is not known",
            declaration.kind
        ))
    }
}
