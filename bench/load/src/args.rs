//! `--name value` pairs, with the name in the error when one is missing or wrong.

use std::collections::HashMap;
use std::str::FromStr;

use crate::Error;

/// The command line after the command's name.
pub(crate) struct Args(HashMap<String, String>);

impl Args {
    /// Reads `--name value` pairs.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut pairs = HashMap::new();
        while let Some(word) = words.next() {
            let name = word
                .strip_prefix("--")
                .ok_or_else(|| format!("expected --NAME, got {word}"))?;
            let value = words
                .next()
                .ok_or_else(|| format!("--{name} expects a value"))?;
            pairs.insert(name.to_owned(), value);
        }
        Ok(Self(pairs))
    }

    /// A value that must be given.
    pub(crate) fn need<T: FromStr>(&self, name: &str) -> Result<T, Error> {
        self.get(name)?
            .ok_or_else(|| format!("--{name} is missing").into())
    }

    /// A value with a default.
    pub(crate) fn or<T: FromStr>(&self, name: &str, default: T) -> Result<T, Error> {
        Ok(self.get(name)?.unwrap_or(default))
    }

    /// A value that may be absent.
    pub(crate) fn get<T: FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("--{name}: cannot read {text}").into()),
        }
    }
}
