//! The conditions of a route (`RouteMatch`).

use std::sync::Arc;

use crate::headers::{HeaderMatcher, QueryParameterMatcher};
use crate::matching::Regex;
use crate::runtime::RuntimeFraction;

/// Which requests a route takes: all conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The path condition.
    pub path: PathMatch,
    /// Whether case counts in paths and prefixes; default true. Regexes are not affected.
    pub case_sensitive: bool,
    /// Header conditions.
    pub headers: Vec<HeaderMatcher>,
    /// Query-parameter conditions.
    pub query_parameters: Vec<QueryParameterMatcher>,
    /// Only gRPC requests.
    pub grpc: bool,
    /// Only a share of requests (`runtime_fraction`); `None`: all.
    pub fraction: Option<RuntimeFraction>,
}

/// The path condition of a route; the query is not part of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The path starts so.
    Prefix(Arc<str>),
    /// The path is this.
    Exact(Arc<str>),
    /// The whole path matches.
    Regex(Regex),
    /// The path is this, or starts so with a `/` behind it.
    PathSeparatedPrefix(Arc<str>),
}
