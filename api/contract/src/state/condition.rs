//! Whether a write may happen: one rule for all back-ends that keep versions.
//!
//! | etag | concurrency | write | removal |
//! |---|---|---|---|
//! | any | last-write | always | always |
//! | given | other | if absent or of that version | if absent or of that version |
//! | none | first-write | if absent | always |
//! | none | unspecified | unless first written with first-write | always |
//!
//! The last row is what Dapr's Redis store does: a value written under first-write stays under
//! that regime until someone insists on last-write. An absent key never conflicts with an etag,
//! there too.

use super::Concurrency;
use crate::Error;

/// What must hold for a write or removal to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The key does not exist.
    Absent,
    /// The key does not exist or has this version.
    Version(u64),
    /// The key does not exist or is not under the first-write regime.
    NotFirstWrite,
}

/// What is known about an existing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// Its version.
    pub version: u64,
    /// Whether it was written with first-write.
    pub first_write: bool,
}

impl Condition {
    /// The condition of a write.
    ///
    /// # Errors
    /// If the etag is no decimal number.
    pub fn of_set(etag: Option<&str>, concurrency: Concurrency) -> Result<Self, Error> {
        Ok(match (concurrency, version(etag)?) {
            (Concurrency::LastWrite, _) => Self::Always,
            (_, Some(version)) => Self::Version(version),
            (Concurrency::FirstWrite, None) => Self::Absent,
            (Concurrency::Unspecified, None) => Self::NotFirstWrite,
        })
    }

    /// The condition of a removal.
    ///
    /// # Errors
    /// If the etag is no decimal number.
    pub fn of_delete(etag: Option<&str>, concurrency: Concurrency) -> Result<Self, Error> {
        Ok(match (concurrency, version(etag)?) {
            (Concurrency::Unspecified | Concurrency::FirstWrite, Some(version)) => {
                Self::Version(version)
            }
            _ => Self::Always,
        })
    }

    /// Whether it holds for a key in this state.
    pub fn holds(self, current: Option<Current>) -> bool {
        match (self, current) {
            (_, None) | (Self::Always, _) => true,
            (Self::Absent, Some(_)) => false,
            (Self::Version(version), Some(current)) => version == current.version,
            (Self::NotFirstWrite, Some(current)) => !current.first_write,
        }
    }
}

fn version(etag: Option<&str>) -> Result<Option<u64>, Error> {
    match etag {
        None | Some("" | "0") => Ok(None),
        Some(etag) => etag
            .parse()
            .map(Some)
            .map_err(|_| Error::etag_invalid(etag)),
    }
}

#[cfg(test)]
mod tests;
