//! A compiled regular expression that compares by its pattern.

mod repeat;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An RE2-style pattern (`type.matcher.v3.RegexMatcher`); the engine is linear in the input.
#[derive(Clone)]
pub struct Regex {
    pattern: Arc<str>,
    /// Anchored at both ends, as Envoy's `FullMatch`.
    full: ::regex::bytes::Regex,
    /// Unanchored, for replacements.
    search: ::regex::Regex,
}

/// The most bytes that a compiled pattern takes.
const SIZE_LIMIT: usize = 1 << 20;

/// A pattern that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression '{pattern}': {reason}")]
pub struct InvalidRegex {
    pattern: String,
    reason: String,
}

impl Regex {
    /// Compiles a pattern; its compiled size is bounded, so that no configuration can make
    /// the proxy grow without limit.
    pub fn new(pattern: &str) -> Result<Self, InvalidRegex> {
        let invalid = |error: ::regex::Error| InvalidRegex {
            pattern: pattern.to_owned(),
            reason: error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned(),
        };
        if let Some(times) = repeat::too_often(pattern) {
            return Err(InvalidRegex {
                pattern: pattern.to_owned(),
                reason: format!("{times}: at most {} are possible", repeat::MOST),
            });
        }
        let search = ::regex::RegexBuilder::new(pattern)
            .size_limit(SIZE_LIMIT)
            .build()
            .map_err(invalid)?;
        // By bytes, as Envoy: what is not UTF-8 does not hide from a condition. Only patterns
        // that name classes of Unicode need its tables.
        let anchored = format!("^(?:{pattern})$");
        let full = |unicode| {
            ::regex::bytes::RegexBuilder::new(&anchored)
                .unicode(unicode)
                .size_limit(SIZE_LIMIT)
                .build()
        };
        Ok(Self {
            pattern: pattern.into(),
            full: full(false).or_else(|_| full(true)).map_err(invalid)?,
            search,
        })
    }

    /// The pattern as configured.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// How many groups it captures.
    pub fn group_count(&self) -> usize {
        self.search.captures_len() - 1
    }

    /// Whether the whole text matches; it need not be UTF-8.
    pub fn is_full_match(&self, text: impl AsRef<[u8]>) -> bool {
        self.full.is_match(text.as_ref())
    }

    /// Replaces every match; `substitution` uses `${1}` for groups.
    pub fn replace_all(&self, text: &str, substitution: &str) -> String {
        self.search.replace_all(text, substitution).into_owned()
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Regex {}

impl Hash for Regex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pattern.hash(state);
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.pattern).finish()
    }
}
