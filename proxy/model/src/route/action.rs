//! What a route does with a request (`RouteAction`, `RedirectAction`, `DirectResponseAction`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::format::Format;
use crate::headers::HeaderMutations;
use crate::matching::Regex;
use crate::retry::RetryPolicy;
use crate::runtime::RuntimeKey;

/// What a route does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send it to a cluster.
    Route(Arc<RouteAction>),
    /// Answer with a redirect.
    Redirect(Arc<Redirect>),
    /// Answer at once.
    DirectResponse(Arc<DirectResponse>),
    /// Never served by this proxy's side of the application (`non_forwarding_action`).
    NonForwarding,
}

/// Sending to a cluster (`RouteAction`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAction {
    /// Which cluster.
    pub cluster: ClusterSpecifier,
    /// The answer when the cluster does not exist; default 503.
    pub cluster_not_found_response_code: StatusCode,
    /// How the path changes.
    pub path_rewrite: Option<PathRewrite>,
    /// How the host changes.
    pub host_rewrite: Option<HostRewrite>,
    /// Keep the old host in `x-forwarded-host` when it is rewritten.
    pub append_x_forwarded_host: bool,
    /// Time from the end of the request to the end of the response; default 15 s, `None`: no
    /// limit. In Envoy's configuration it means nothing beside a `max_stream_duration`, be that
    /// empty: such an action has none.
    pub timeout: Option<Duration>,
    /// Of gRPC: `grpc-timeout` in place of `timeout`, capped at this (`Some(ZERO)`: not capped).
    /// Like `timeout`, only without a `max_stream_duration`.
    pub max_grpc_timeout: Option<Duration>,
    /// Subtracted from `grpc-timeout` before it takes the place of `timeout`, if it is less.
    pub grpc_timeout_offset: Option<Duration>,
    /// Idle time of the stream; `None`: the connection manager's. `Some(ZERO)`: no limit.
    pub idle_timeout: Option<Duration>,
    /// Longest life of the stream; `None`: the connection manager's. `Some(ZERO)`: no limit.
    pub max_stream_duration: Option<Duration>,
    /// Use `grpc-timeout` as the limit, capped at this (`Some(ZERO)`: not capped).
    pub grpc_timeout_header_max: Option<Duration>,
    /// Subtracted from `grpc-timeout` before it is used.
    pub grpc_timeout_header_offset: Option<Duration>,
    /// When to try again; `None`: the virtual host's.
    pub retry_policy: Option<Arc<RetryPolicy>>,
    /// HIGH instead of DEFAULT breaker limits.
    pub high_priority: bool,
    /// Upgrades allowed or refused here beside the connection manager's; lower case.
    pub upgrades: Vec<(Arc<str>, bool)>,
}

/// How the cluster is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterSpecifier {
    /// By the configuration.
    Cluster(Arc<str>),
    /// By a request header.
    Header(HeaderName),
    /// One of several, by weight. The weights' sum is at least 1.
    Weighted {
        /// The clusters.
        clusters: Vec<WeightedCluster>,
        /// Sum of the weights.
        total: u32,
    },
}

/// One of several clusters (`WeightedCluster.ClusterWeight`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedCluster {
    /// Its name, or …
    pub name: Arc<str>,
    /// … the header that names it.
    pub cluster_header: Option<HeaderName>,
    /// Its share.
    pub weight: u32,
    /// May set its share (`runtime_key_prefix`).
    pub weight_key: Option<RuntimeKey>,
    /// Edits of the request, before the route's.
    pub request_headers: HeaderMutations,
    /// Edits of the response, before the route's.
    pub response_headers: HeaderMutations,
    /// The host to send instead.
    pub host_rewrite: Option<HeaderValue>,
    /// Filters' settings when this cluster is chosen.
    pub filters: Vec<crate::filter::PerRouteFilter>,
}

impl WeightedCluster {
    /// Its share as it is now.
    pub fn weight_now(&self) -> u64 {
        let said = self.weight_key.as_ref().and_then(RuntimeKey::integer);
        said.unwrap_or(u64::from(self.weight))
    }
}

/// How the path changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// The matched prefix (or the whole exact path) is replaced.
    Prefix(Arc<str>),
    /// All matches of a regex in the path are replaced.
    Regex {
        /// What to look for.
        pattern: Regex,
        /// The replacement, with Rust's `${1}` for RE2's `\1`.
        substitution: Arc<str>,
    },
    /// The whole path is written anew; an empty one changes nothing.
    Format(Arc<Format>),
}

/// How the host changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRewrite {
    /// To this.
    Literal(HeaderValue),
    /// To the chosen endpoint's host name (`auto_host_rewrite`).
    Auto,
    /// To a header's value.
    Header(HeaderName),
    /// To what a regex makes of the path.
    PathRegex {
        /// What to look for.
        pattern: Regex,
        /// The replacement.
        substitution: Arc<str>,
    },
    /// To a text with operators; an empty one changes nothing.
    Format(Arc<Format>),
}

/// A redirect (`RedirectAction`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `https_redirect` or `scheme_redirect`, lower case.
    pub scheme: Option<Arc<str>>,
    /// `host_redirect`.
    pub host: Option<Arc<str>>,
    /// `port_redirect`.
    pub port: Option<u16>,
    /// The new path.
    pub path: Option<RedirectPath>,
    /// Drop the query.
    pub strip_query: bool,
    /// 301 (default), 302, 303, 307 or 308.
    pub status: StatusCode,
}

/// The path of a redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectPath {
    /// A whole new path (with a query of its own, if it has a `?`).
    Replace(Arc<str>),
    /// The matched prefix is replaced.
    Prefix(Arc<str>),
    /// Matches of a regex are replaced.
    Regex {
        /// What to look for.
        pattern: Regex,
        /// The replacement.
        substitution: Arc<str>,
    },
    /// A path with operators; an empty one changes nothing.
    Format(Arc<Format>),
}

/// An answer at once (`DirectResponseAction`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: StatusCode,
    /// The body; may be empty.
    pub body: Bytes,
}
