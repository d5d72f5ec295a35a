//! Additions to and removals from a header map, and the matchers of header values.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::format::Format;
use crate::matching::StringMatcher;

/// Header edits of one level (route, virtual host, route configuration, weighted cluster).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMutations {
    /// Removed first …
    pub remove: Vec<HeaderName>,
    /// … then added, in order.
    pub add: Vec<HeaderAdd>,
}

impl HeaderMutations {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }
}

/// One header to add (`config.core.v3.HeaderValueOption`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderAdd {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: HeaderText,
    /// What to do when the header is there or not.
    pub action: AppendAction,
    /// Add it even if the value is empty.
    pub keep_empty_value: bool,
}

/// A header value: known now, or made from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderText {
    /// A literal value, ready to clone.
    Literal(HeaderValue),
    /// A value with `%…%` operators.
    Format(Arc<Format>),
}

/// `HeaderValueOption.append_action`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AppendAction {
    /// Append another value, or add.
    #[default]
    AppendIfExistsOrAdd,
    /// Only add where there is none.
    AddIfAbsent,
    /// Replace all values, or add.
    OverwriteIfExistsOrAdd,
    /// Replace all values, only where there is one.
    OverwriteIfExists,
}

/// A condition on one header (`config.route.v3.HeaderMatcher`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatcher {
    /// Which header: a real one, or one of the pseudo-headers.
    pub name: MatchedHeader,
    /// What its value (several values joined by `,`) must be.
    pub value: HeaderValueMatch,
    /// Negate the result. As in Envoy, a missing header matches no value condition, inverted
    /// or not, unless it is treated as empty.
    pub invert: bool,
    /// Treat a missing header as an empty one.
    pub treat_missing_as_empty: bool,
}

/// What a header matcher looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MatchedHeader {
    /// An ordinary header.
    Name(HeaderName),
    /// `:method`.
    Method,
    /// `:path`, with the query.
    Path,
    /// `:authority`.
    Authority,
    /// `:scheme`.
    Scheme,
}

/// The condition on a header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValueMatch {
    /// Present (true) or absent (false).
    Present(bool),
    /// A string condition.
    String(StringMatcher),
    /// A whole number in `[start, end)`.
    Range {
        /// First number that matches.
        start: i64,
        /// First number after it that does not.
        end: i64,
    },
}

/// A condition on one query parameter (`config.route.v3.QueryParameterMatcher`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParameterMatcher {
    /// The parameter's name.
    pub name: Arc<str>,
    /// `None`: it only has to be present.
    pub value: Option<StringMatcher>,
    /// `present_match: false`: it has to be absent.
    pub absent: bool,
}
