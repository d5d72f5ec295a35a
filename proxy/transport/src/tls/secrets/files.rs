//! Whether files have changed.
//!
//! They are looked at, by name and through links, rather than watched: that notices a write in
//! place, a file moved over another and a link of a directory above that was turned (which is
//! how Kubernetes replaces secrets) in the same way, on every file system.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use tandem_model::tls::DataSource;

use super::Sources;

/// How often they are looked at.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// What some files looked like: device, inode, time of change, size; nothing of those that are
/// not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<Look>>);

type Look = (u64, u64, i64, i64, u64);

impl Stamp {
    /// Of those sources that are files.
    pub(super) fn of(sources: Sources<'_>) -> Self {
        let files = sources
            .into_iter()
            .flatten()
            .filter_map(|source| match source {
                DataSource::File(path) => Some(path),
                DataSource::Inline(_) => None,
            });
        let stamp = |path: &std::sync::Arc<str>| {
            let found = fs::metadata(&**path).ok()?;
            Some((
                found.dev(),
                found.ino(),
                found.mtime(),
                found.mtime_nsec(),
                found.size(),
            ))
        };
        Self(files.map(stamp).collect())
    }

    /// Whether there are no files at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
