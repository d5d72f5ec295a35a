//! When a key expires.

use std::time::Duration;

use crate::{Error, Metadata};

/// What a write does to the expiry of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ttl {
    /// Leaves it as it is.
    #[default]
    Unchanged,
    /// Removes it: the key stays.
    Never,
    /// The key expires so long after the write.
    After(Duration),
}

impl Ttl {
    /// Reads the metadata field `ttlInSeconds`: a number of seconds; zero and less mean
    /// [`Ttl::Never`], absent and empty [`Ttl::Unchanged`].
    ///
    /// # Errors
    /// If it is no whole number.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, Error> {
        match metadata.get("ttlInSeconds").map(|text| text.trim()) {
            None | Some("") => Ok(Self::Unchanged),
            Some(text) => match text.parse::<i32>() {
                Ok(seconds) => Ok(Self::from_seconds(seconds.into())),
                Err(_) => Err(Error::invalid_argument(format!(
                    "invalid ttlInSeconds {text:?}: expected a whole number of seconds"
                ))),
            },
        }
    }

    /// As [`from_metadata`](Self::from_metadata), once it is a number.
    pub fn from_seconds(seconds: i64) -> Self {
        match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Self::After(Duration::from_secs(seconds)),
            _ => Self::Never,
        }
    }
}
