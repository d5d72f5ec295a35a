//! The version that was accepted last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh64::xxh64;

use super::{Sample, Value};

/// What a control plane's answers were accepted with last: `version_text`, its hash `version`, and
/// `update_time`, in milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Accepted(Mutex<Option<(Arc<str>, u64)>>);

impl Accepted {
    /// An answer of this version was accepted at that time.
    pub fn set(&self, version: &Arc<str>, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Arc::clone(version), since));
    }

    /// Shows the three, their names behind `dotted` and `family`.
    pub fn visit(
        &self,
        [dotted, family]: [&str; 2],
        label: Option<(&str, &str)>,
        visit: &mut dyn FnMut(Sample<'_>),
    ) {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.clone();
        let (text, at) = last.as_ref().map_or(("", 0), |(text, at)| (&**text, *at));
        // As Envoy's: of what never came it is not the hash of nothing.
        let hash = last.as_ref().map_or(0, |_| xxh64(text.as_bytes(), 0));
        for (name, value) in [
            ("update_time", Value::Unsigned(at)),
            ("version", Value::Unsigned(hash)),
            ("version_text", Value::Text(text)),
        ] {
            visit(Sample {
                name: &format!("{dotted}{name}"),
                family: &format!("{family}{name}"),
                label,
                value,
            });
        }
    }
}
