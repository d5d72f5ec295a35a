//! What matching looks at of a request, and the conditions on it.

use http::header::{GetAll, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

use crate::headers::{HeaderMatcher, HeaderValueMatch, MatchedHeader, QueryParameterMatcher};
use crate::scheme;

/// The parts of a request that routes match on. All are borrowed; nothing is parsed twice.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query, as they stand in `:path`.
    pub path_and_query: &'a str,
    /// The authority, with its port if it has one.
    pub authority: &'a str,
    /// The scheme that the URI names: HTTP/1 names none.
    pub uri_scheme: Option<&'a str>,
    /// Whether the client's connection is encrypted: what the scheme goes by at last.
    pub encrypted: bool,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// Whether it is a gRPC request.
    pub is_grpc: bool,
    /// A random number: fixed for the request, so that one request takes one route.
    pub random: u64,
}

impl<'a> RequestView<'a> {
    /// The path without query and fragment.
    pub fn path(&self) -> &'a str {
        let end = memchr::memchr2(b'?', b'#', self.path_and_query.as_bytes());
        &self.path_and_query[..end.unwrap_or(self.path_and_query.len())]
    }

    /// `http` or `https`. Few ask, so that it is looked up only for them.
    pub fn scheme(&self) -> &'a str {
        scheme::of(self.uri_scheme, self.headers, self.encrypted)
    }

    /// The query without the `?`; empty if there is none.
    pub fn query(&self) -> &'a str {
        let Some(start) = memchr::memchr(b'?', self.path_and_query.as_bytes()) else {
            return "";
        };
        let query = &self.path_and_query[start + 1..];
        query.split('#').next().unwrap_or_default()
    }
}

/// The header that was last asked for. Routes in a row tend to ask for the same one, and finding
/// it anew for each costs more than all else that a condition does.
#[derive(Debug, Default)]
pub(super) struct LastHeader<'a>(Option<(&'a HeaderName, GetAll<'a, HeaderValue>)>);

impl<'a> LastHeader<'a> {
    fn values(&mut self, headers: &'a HeaderMap, name: &'a HeaderName) -> &GetAll<'a, HeaderValue> {
        let last = self.0.take().filter(|(last, _)| *last == name);
        let (_, values) = self
            .0
            .insert(last.unwrap_or_else(|| (name, headers.get_all(name))));
        values
    }
}

impl HeaderMatcher {
    /// Whether the request meets the condition.
    pub fn matches(&self, request: &RequestView<'_>) -> bool {
        self.holds(request, &mut LastHeader::default())
    }

    /// The same, one of several conditions in a row.
    pub(super) fn holds<'a>(
        &'a self,
        request: &RequestView<'a>,
        last: &mut LastHeader<'a>,
    ) -> bool {
        match &self.name {
            MatchedHeader::Name(name) => self.decide_all(last.values(request.headers, name)),
            MatchedHeader::Method => self.decide(Some(request.method.as_str().as_bytes())),
            MatchedHeader::Path => self.decide(Some(request.path_and_query.as_bytes())),
            MatchedHeader::Authority => self.decide(Some(request.authority.as_bytes())),
            MatchedHeader::Scheme => self.decide(Some(request.scheme().as_bytes())),
        }
    }

    /// The same for response headers, which have no pseudo-headers to look at.
    pub fn matches_headers(&self, headers: &HeaderMap) -> bool {
        match &self.name {
            MatchedHeader::Name(name) => self.decide_all(&headers.get_all(name)),
            MatchedHeader::Method
            | MatchedHeader::Path
            | MatchedHeader::Authority
            | MatchedHeader::Scheme => self.decide(None),
        }
    }

    /// Of several fields with the name one has to do, or none when inverted, as Envoy has it.
    fn decide_all(&self, values: &GetAll<'_, HeaderValue>) -> bool {
        let mut values = values.iter().map(HeaderValue::as_bytes);
        match values.next() {
            None => self.decide(None),
            Some(first) if self.invert => {
                self.decide(Some(first)) && values.all(|value| self.decide(Some(value)))
            }
            Some(first) => self.decide(Some(first)) || values.any(|value| self.decide(Some(value))),
        }
    }

    fn decide(&self, value: Option<&[u8]>) -> bool {
        let value: Option<&[u8]> = match value {
            None if self.treat_missing_as_empty => Some(b""),
            value => value,
        };
        let holds = match (&self.value, value) {
            (HeaderValueMatch::Present(wanted), value) => value.is_some() == *wanted,
            // A missing header meets no value condition, not even an inverted one.
            (_, None) => return false,
            (HeaderValueMatch::String(matcher), Some(value)) => matcher.matches_bytes(value),
            (HeaderValueMatch::Range { start, end }, Some(value)) => std::str::from_utf8(value)
                .is_ok_and(|value| {
                    let number = value.parse::<i64>();
                    number.is_ok_and(|number| (*start..*end).contains(&number))
                }),
        };
        holds != self.invert
    }
}

impl QueryParameterMatcher {
    /// Whether a query (without its `?`) meets the condition; of several parameters with the
    /// name the first counts.
    pub fn matches(&self, query: &str) -> bool {
        let found = query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == &*self.name).then_some(value)
        });
        match (found, &self.value) {
            (found, None) => found.is_some() != self.absent,
            (None, Some(_)) => false,
            (Some(value), Some(matcher)) => matcher.matches(value),
        }
    }
}
