//! Routes: which virtual host and route a request takes, and what the route does
//! (`config.route.v3`).

mod action;
mod route_match;

pub use action::{
    Action, ClusterSpecifier, DirectResponse, HostRewrite, PathRewrite, Redirect, RedirectPath,
    RouteAction, WeightedCluster,
};
pub use route_match::{PathMatch, RouteMatch};

use std::sync::Arc;

use crate::config_source::ConfigSource;
use crate::filter::PerRouteFilter;
use crate::headers::HeaderMutations;
use crate::retry::RetryPolicy;

/// A route table (`RouteConfiguration`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteConfiguration {
    /// Its name.
    pub name: Arc<str>,
    /// Virtual hosts in file order. No domain stands twice.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
    /// Edits of every request.
    pub request_headers: HeaderMutations,
    /// Edits of every response.
    pub response_headers: HeaderMutations,
    /// Apply the most specific level's edits last (default: first).
    pub most_specific_header_mutations_wins: bool,
    /// Headers only internal requests may carry.
    pub internal_only_headers: Vec<http::HeaderName>,
    /// Ignore the port of the host when matching domains.
    pub ignore_port_in_host_matching: bool,
    /// Ignore `;` parameters in the path when matching.
    pub ignore_path_parameters: bool,
    /// Filters' settings for all routes.
    pub filters: Vec<PerRouteFilter>,
    /// More virtual hosts, which come by themselves.
    pub vhds: Option<Vhds>,
}

/// Where virtual hosts come from, and what they are checked against (`Vhds`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vhds {
    /// Who sends them.
    pub source: ConfigSource,
    /// Whether their routes may only name clusters that exist.
    pub validate_clusters: bool,
    /// Most bytes of a direct response.
    pub max_direct_response: usize,
}

/// A virtual host (`VirtualHost`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualHost {
    /// Its name; metrics and logs use it.
    pub name: Arc<str>,
    /// Its domains, lower case: exact, `*.suffix`, `prefix.*`, `*`.
    pub domains: Vec<Arc<str>>,
    /// Routes; the first that matches is taken.
    pub routes: Vec<Arc<Route>>,
    /// Which requests must come by TLS.
    pub require_tls: RequireTls,
    /// Edits of every request.
    pub request_headers: HeaderMutations,
    /// Edits of every response.
    pub response_headers: HeaderMutations,
    /// Retry policy of routes without one.
    pub retry_policy: Option<Arc<RetryPolicy>>,
    /// Add `x-envoy-attempt-count` to upstream requests.
    pub include_request_attempt_count: bool,
    /// Add `x-envoy-attempt-count` to downstream responses.
    pub include_attempt_count_in_response: bool,
    /// Bound of a request body kept for retries, in bytes; `None`: the listener's buffer limit.
    pub per_request_buffer_limit_bytes: Option<u64>,
    /// Filters' settings for its routes.
    pub filters: Vec<PerRouteFilter>,
}

/// `VirtualHost.require_tls`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RequireTls {
    /// None.
    #[default]
    None,
    /// Requests from outside: redirected to https with 301.
    ExternalOnly,
    /// All.
    All,
}

/// One route (`Route`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name, for logs; may be empty.
    pub name: Arc<str>,
    /// Which requests it takes.
    pub matches: RouteMatch,
    /// What it does with them.
    pub action: Action,
    /// Edits of the request.
    pub request_headers: HeaderMutations,
    /// Edits of the response.
    pub response_headers: HeaderMutations,
    /// Bound of a request body kept for retries, in bytes; `None`: the virtual host's.
    pub per_request_buffer_limit_bytes: Option<u64>,
    /// Filters' settings for this route.
    pub filters: Vec<PerRouteFilter>,
}
