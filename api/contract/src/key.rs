//! Key prefixes: what keeps the keys of applications and APIs apart in a shared back-end.
//!
//! The strategies and the resulting keys are those of Dapr and Layotto, so that data is shared with
//! them: `appid` gives `APP||key`, `name` gives `COMPONENT||key`, `namespace` gives
//! `NAMESPACE.APP||key`, `none` gives `key`, anything else is itself the prefix (in lower case, as
//! both peers make it). Locks and sequences put `lock|||` or `sequencer|||` before that.
//!
//! The default depends on who the declaration was written for: a state store declared in Dapr's
//! YAML defaults to `appid`, as in Dapr, since the same file given to daprd must lead to the same
//! keys; one declared in Layotto's JSON defaults to `none`, as in Layotto. Locks and sequences
//! default to `appid` in both.

use std::borrow::Cow;

use crate::{
    declaration::{Context, Declaration, Dialect},
    error::Error,
};

/// What separates a prefix from the key; therefore no key or prefix may contain it.
const SEPARATOR: &str = "||";

/// The kind of building block, which decides default and extra prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// State: no extra prefix.
    State,
    /// Locks: `lock|||`.
    Lock,
    /// Sequences: `sequencer|||`.
    Sequencer,
}

/// A prefix, ready to be put before keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPrefix(Box<str>);

impl KeyPrefix {
    /// The prefix that a declaration's `keyPrefix` asks for.
    ///
    /// # Errors
    /// If the prefix contains `||`.
    pub fn new(
        family: Family,
        strategy: Option<&str>,
        declaration: &Declaration,
        context: &Context,
    ) -> Result<Self, Error> {
        let default = match (family, declaration.dialect) {
            (Family::State, Dialect::Layotto) => "none",
            (Family::State, Dialect::Dapr) | (Family::Lock | Family::Sequencer, _) => "appid",
        };
        let strategy = strategy
            .filter(|s| !s.is_empty())
            .unwrap_or(default)
            .to_lowercase();
        let app_id = context.app_id.as_str();
        let own: Cow<'_, str> = match (strategy.as_str(), &context.namespace) {
            ("none", _) => "".into(),
            ("namespace", Some(namespace)) => format!("{namespace}.{app_id}").into(),
            ("appid" | "namespace", _) => app_id.into(),
            ("name", _) => declaration.name.as_str().into(),
            (other, _) => other.into(),
        };
        refuse_separator("key prefix", &own)?;
        let family = match family {
            Family::State => "",
            Family::Lock => "lock|||",
            Family::Sequencer => "sequencer|||",
        };
        let separator = if own.is_empty() { "" } else { SEPARATOR };
        Ok(Self(format!("{family}{own}{separator}").into()))
    }

    /// The key as the back-end stores it. Allocates only if there is a prefix.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`](crate::Kind::InvalidArgument) if the key contains `||`.
    pub fn stored<'a>(&self, key: &'a str) -> Result<Cow<'a, str>, Error> {
        refuse_separator("key", key)?;
        if self.0.is_empty() {
            return Ok(Cow::Borrowed(key));
        }
        let mut stored = String::with_capacity(self.0.len() + key.len());
        stored.push_str(&self.0);
        stored.push_str(key);
        Ok(Cow::Owned(stored))
    }

    /// As [`stored`](Self::stored), for a key that is ours already.
    ///
    /// # Errors
    /// As [`stored`](Self::stored).
    pub fn stored_owned(&self, key: String) -> Result<String, Error> {
        match self.stored(&key)? {
            Cow::Borrowed(_) => Ok(key),
            Cow::Owned(stored) => Ok(stored),
        }
    }
}

fn refuse_separator(what: &str, text: &str) -> Result<(), Error> {
    if text.contains(SEPARATOR) {
        return Err(Error::invalid_argument(format!(
            "{what} {text:?} must not contain '||'"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
