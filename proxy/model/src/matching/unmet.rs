//! The conditions of a route, asked one after the other: who serves wants to know whether all
//! hold, who explains which one did not.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;

use super::request::LastHeader;
use super::{RequestView, StringMatch, StringMatcher};
use crate::FractionalPercent;
use crate::headers::{HeaderMatcher, HeaderValueMatch, MatchedHeader, QueryParameterMatcher};
use crate::route::{PathMatch, RouteMatch};

/// A condition that said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet<'a> {
    /// That on the path.
    Path(&'a RouteMatch),
    /// Only gRPC requests are taken.
    Grpc,
    /// Only a share of requests is taken, and this is not one of them.
    Fraction(FractionalPercent),
    /// One on a header.
    Header(&'a HeaderMatcher),
    /// One on a query parameter.
    Query(&'a QueryParameterMatcher),
}

impl RouteMatch {
    /// The first condition that does not hold; `path` is what of the request's path counts.
    pub(super) fn unmet<'a>(
        &'a self,
        request: &RequestView<'a>,
        path: &str,
        last: &mut LastHeader<'a>,
    ) -> Option<Unmet<'a>> {
        if !self.path_holds(path) {
            return Some(Unmet::Path(self));
        }
        if self.grpc && !request.is_grpc {
            return Some(Unmet::Grpc);
        }
        if let Some(fraction) = &self.fraction
            && !fraction.now().hit(request.random)
        {
            return Some(Unmet::Fraction(fraction.now()));
        }
        let mut headers = self.headers.iter();
        if let Some(header) = headers.find(|header| !header.holds(request, last)) {
            return Some(Unmet::Header(header));
        }
        if self.query_parameters.is_empty() {
            return None;
        }
        let mut queries = self.query_parameters.iter();
        queries
            .find(|query| !query.matches(request.query()))
            .map(Unmet::Query)
    }

    fn path_holds(&self, path: &str) -> bool {
        let starts = |prefix: &str| {
            path.as_bytes()
                .get(..prefix.len())
                .is_some_and(|head| match self.case_sensitive {
                    true => head == prefix.as_bytes(),
                    false => head.eq_ignore_ascii_case(prefix.as_bytes()),
                })
        };
        match &self.path {
            PathMatch::Prefix(prefix) => starts(prefix),
            PathMatch::Exact(exact) => exact.len() == path.len() && starts(exact),
            PathMatch::Regex(regex) => regex.is_full_match(path),
            PathMatch::PathSeparatedPrefix(prefix) => {
                starts(prefix) && matches!(path.as_bytes().get(prefix.len()), None | Some(b'/'))
            }
        }
    }
}

impl Unmet<'_> {
    /// In words: what was expected, and what the request has.
    pub fn why(&self, request: &RequestView<'_>) -> String {
        match self {
            Self::Path(matches) => format!("path: expected {matches}, got {}", request.path()),
            Self::Grpc => "expected a gRPC request".to_owned(),
            Self::Fraction(share) => format!("takes only {share} of requests"),
            Self::Header(header) => format!("{header}, got {}", header.found(request)),
            Self::Query(query) => {
                let pairs = request.query().split('&');
                let mut named =
                    pairs.filter(|pair| pair.split('=').next() == Some(query.name.as_ref()));
                let found = named.next().and_then(|pair| pair.split_once('='));
                match found {
                    Some((_, value)) => format!("{query}, got '{value}'"),
                    None => format!("{query}, got none"),
                }
            }
        }
    }
}

impl HeaderMatcher {
    /// What the request has there, in words.
    fn found(&self, request: &RequestView<'_>) -> String {
        let text = match &self.name {
            MatchedHeader::Name(name) => return found(request.headers, name),
            MatchedHeader::Method => request.method.as_str(),
            MatchedHeader::Path => request.path_and_query,
            MatchedHeader::Authority => request.authority,
            MatchedHeader::Scheme => request.scheme(),
        };
        format!("'{text}'")
    }
}

fn found(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values
        .map(|value| format!("'{}'", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    if values.is_empty() {
        return "none".to_owned();
    }
    values.join(" and ")
}

impl fmt::Display for RouteMatch {
    /// The path condition.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            PathMatch::Prefix(text) => write!(f, "prefix {text}")?,
            PathMatch::Exact(text) => write!(f, "exactly {text}")?,
            PathMatch::Regex(regex) => return write!(f, "regex {}", regex.pattern()),
            PathMatch::PathSeparatedPrefix(text) => write!(f, "{text} or below it")?,
        }
        f.write_str(any_case(!self.case_sensitive))
    }
}

fn any_case(any: bool) -> &'static str {
    if any { " in any case" } else { "" }
}

impl fmt::Display for StringMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.matches {
            StringMatch::Exact(text) => write!(f, "'{text}'")?,
            StringMatch::Prefix(text) => write!(f, "prefix '{text}'")?,
            StringMatch::Suffix(text) => write!(f, "suffix '{text}'")?,
            StringMatch::Contains(text) => write!(f, "'{text}' within")?,
            StringMatch::Regex(regex) => return write!(f, "regex '{}'", regex.pattern()),
        }
        f.write_str(any_case(self.ignore_case))
    }
}

impl fmt::Display for HeaderMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: Cow<'_, str> = match &self.name {
            MatchedHeader::Name(name) => Cow::Borrowed(name.as_str()),
            MatchedHeader::Method => Cow::Borrowed(":method"),
            MatchedHeader::Path => Cow::Borrowed(":path"),
            MatchedHeader::Authority => Cow::Borrowed(":authority"),
            MatchedHeader::Scheme => Cow::Borrowed(":scheme"),
        };
        let not = if self.invert { "not " } else { "" };
        write!(f, "header {name}: expected ")?;
        match &self.value {
            HeaderValueMatch::Present(wanted) => f.write_str(if *wanted != self.invert {
                "any"
            } else {
                "none"
            }),
            HeaderValueMatch::String(matcher) => write!(f, "{not}{matcher}"),
            HeaderValueMatch::Range { start, end } => {
                write!(f, "{not}a number from {start} and below {end}")
            }
        }
    }
}

impl fmt::Display for QueryParameterMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query parameter {}: expected ", self.name)?;
        match &self.value {
            Some(matcher) => matcher.fmt(f),
            None => f.write_str(if self.absent { "none" } else { "any" }),
        }
    }
}

#[cfg(test)]
mod tests;
