//! Which metrics there are, and what labels they carry (`config.metrics.v3.StatsConfig`).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::matching::StringMatcher;

/// How metrics are named and selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Whether metrics carry the labels that they have by themselves (`envoy_cluster_name`, …);
    /// what is not a label is part of the name.
    pub default_tags: bool,
    /// Further labels, in file order.
    pub tags: Vec<Tag>,
    /// Which metrics there are.
    pub selection: Selection,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            default_tags: true,
            tags: Vec::new(),
            selection: Selection::All,
        }
    }
}

/// A label (`TagSpecifier`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name as configured.
    pub name: Arc<str>,
    /// Where its value comes from.
    pub value: TagValue,
}

/// Where the value of a label comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagValue {
    /// One of those that metrics have by themselves, where not all are wanted.
    Default,
    /// From the metric's dotted name.
    Pattern(TagPattern),
    /// The same for every metric.
    Fixed(Arc<str>),
}

/// Which metrics there are (`StatsMatcher`), by their dotted names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// None.
    None,
    /// Those that meet one of the conditions.
    Only(Vec<StringMatcher>),
    /// Those that meet none of the conditions.
    Except(Vec<StringMatcher>),
}

impl Selection {
    /// Whether there is a metric of that name.
    pub fn selects(&self, name: &str) -> bool {
        let meets = |all: &[StringMatcher]| all.iter().any(|one| one.matches(name));
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(these) => meets(these),
            Self::Except(these) => !meets(these),
        }
    }
}

/// A pattern that takes a label out of a name. Envoy gives these to its standard library, not to
/// RE2, so they may look around: mesh control planes write such.
#[derive(Clone)]
pub struct TagPattern(fancy_regex::Regex);

/// A pattern that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression '{pattern}': {reason}")]
pub struct InvalidTagPattern {
    pattern: String,
    reason: String,
}

/// What a pattern found in a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The bytes that leave the name: the first group.
    pub removed: Range<usize>,
    /// The label's value: the second group, or the first where there is no second.
    pub value: &'a str,
}

impl TagPattern {
    /// Compiles a pattern.
    pub fn new(pattern: &str) -> Result<Self, InvalidTagPattern> {
        let invalid = |error: fancy_regex::Error| InvalidTagPattern {
            pattern: pattern.to_owned(),
            reason: (error.to_string().lines().last())
                .unwrap_or_default()
                .to_owned(),
        };
        fancy_regex::RegexBuilder::new(pattern)
            .delegate_size_limit(1 << 20)
            .build()
            .map(Self)
            .map_err(invalid)
    }

    /// Where it matches in `name`; a pattern without groups takes nothing, as in Envoy.
    pub fn find<'a>(&self, name: &'a str) -> Option<Found<'a>> {
        // One that gives up on a name (too much backtracking) finds nothing in it.
        let groups = self.0.captures(name).ok().flatten()?;
        if groups.len() < 2 {
            return None;
        }
        let first = groups.get(1);
        let value = if groups.len() > 2 {
            groups.get(2)
        } else {
            first
        };
        Some(Found {
            removed: first.map_or(0..0, |first| first.start()..first.end()),
            value: value.map_or("", |value| value.as_str()),
        })
    }
}

impl PartialEq for TagPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for TagPattern {}

impl fmt::Debug for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TagPattern").field(&self.0.as_str()).finish()
    }
}

#[cfg(test)]
mod tests;
