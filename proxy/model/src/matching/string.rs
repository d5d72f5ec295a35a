//! Conditions on a string (`type.matcher.v3.StringMatcher`).

use std::sync::Arc;

use super::Regex;

/// A string condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StringMatcher {
    /// What to compare with.
    pub matches: StringMatch,
    /// Ignore ASCII case; no effect on a regex.
    pub ignore_case: bool,
}

/// How to compare.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StringMatch {
    /// Equal.
    Exact(Arc<str>),
    /// Starts so.
    Prefix(Arc<str>),
    /// Ends so.
    Suffix(Arc<str>),
    /// Has it somewhere.
    Contains(Arc<str>),
    /// The whole string matches.
    Regex(Regex),
}

impl StringMatcher {
    /// Whether `text` meets the condition.
    pub fn matches(&self, text: &str) -> bool {
        self.matches_bytes(text.as_bytes())
    }

    /// Whether bytes that need not be UTF-8, such as a header's value, meet the condition.
    pub fn matches_bytes(&self, text: &[u8]) -> bool {
        let (a, fold) = (text, self.ignore_case);
        match &self.matches {
            StringMatch::Exact(b) => equal(a, b.as_bytes(), fold),
            StringMatch::Prefix(b) => a
                .get(..b.len())
                .is_some_and(|head| equal(head, b.as_bytes(), fold)),
            StringMatch::Suffix(b) => a
                .len()
                .checked_sub(b.len())
                .is_some_and(|start| equal(&a[start..], b.as_bytes(), fold)),
            StringMatch::Contains(b) if fold => {
                b.is_empty()
                    || a.windows(b.len())
                        .any(|part| equal(part, b.as_bytes(), true))
            }
            StringMatch::Contains(b) => memchr::memmem::find(a, b.as_bytes()).is_some(),
            StringMatch::Regex(regex) => regex.is_full_match(text),
        }
    }
}

fn equal(a: &[u8], b: &[u8], fold: bool) -> bool {
    if fold {
        a.eq_ignore_ascii_case(b)
    } else {
        a == b
    }
}
