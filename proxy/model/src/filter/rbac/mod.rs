//! Role-based access control (`extensions.filters.http.rbac.v3.RBAC`, `config.rbac.v3`): who
//! may do what.
//!
//! Evaluation is pure: rules look at [`Facts`] and say a [`Decision`]. A rule that cannot be
//! decided here does not exist here: whoever builds the rules refuses it.

mod evaluate;
#[cfg(test)]
mod tests;

pub use evaluate::{Decision, Facts, Peer};

use std::sync::Arc;
use std::time::Duration;

use crate::cidr::Cidr;
use crate::headers::HeaderMatcher;
use crate::matching::StringMatcher;

/// Settings of the filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rbac {
    /// What is enforced; `None`: everything passes.
    pub rules: Option<Arc<Rules>>,
    /// What is only counted.
    pub shadow_rules: Option<Arc<Rules>>,
    /// Goes into the names of the enforced rules' metrics; may be empty.
    pub rules_stat_prefix: Arc<str>,
    /// Goes into the names of the shadow rules' metrics; may be empty.
    pub shadow_rules_stat_prefix: Arc<str>,
    /// Count for each policy too.
    pub track_per_rule_stats: bool,
}

/// Settings of the network filter (`extensions.filters.network.rbac.v3.RBAC`).
///
/// It decides when the connection is there, once: nothing that rules look at changes later, so
/// that `CONTINUOUS` enforcement decides the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionRbac {
    /// The rules; they see no request.
    pub rbac: Rbac,
    /// Prefix of its metrics: `<stat_prefix>.rbac.`.
    pub stat_prefix: Arc<str>,
    /// How long a connection that is refused stays open; `None`: it is closed at once.
    pub delay_deny: Option<Duration>,
}

impl Rbac {
    /// These settings for a route of a list that has `listed`, whose metrics they count in.
    #[must_use]
    pub fn counted_as(&self, listed: &Self) -> Self {
        Self {
            rules_stat_prefix: Arc::clone(&listed.rules_stat_prefix),
            shadow_rules_stat_prefix: Arc::clone(&listed.shadow_rules_stat_prefix),
            ..self.clone()
        }
    }
}

/// A set of policies and what they mean (`config.rbac.v3.RBAC`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What happens to what a policy matches.
    pub action: Action,
    /// The policies in the order of their names; the first that matches decides.
    pub policies: Vec<Policy>,
}

/// What rules do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// Only what a policy matches passes; nothing, if there is no policy.
    #[default]
    Allow,
    /// What a policy matches does not pass.
    Deny,
    /// Everything passes.
    Log,
}

/// One policy: it matches if one of its permissions and one of its principals does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: Arc<str>,
    /// What is done.
    pub permissions: Vec<Permission>,
    /// Who does it.
    pub principals: Vec<Principal>,
}

/// A condition on what is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// All of these.
    All(Vec<Permission>),
    /// One of these.
    OneOf(Vec<Permission>),
    /// Not this.
    Not(Box<Permission>),
    /// Always.
    Any,
    /// A header; a connection without a request has none.
    Header(HeaderMatcher),
    /// The path without query and fragment; a connection without a request has none.
    Path(StringMatcher),
    /// The address that the client connected to.
    DestinationIp(Cidr),
    /// The port that the client connected to.
    DestinationPort(u16),
    /// A port in `[start, end)`.
    DestinationPorts {
        /// The first port.
        start: i32,
        /// The first port that is too high.
        end: i32,
    },
    /// Dynamic metadata.
    Metadata(MetadataMatcher),
    /// The server name that the client asked for by SNI; empty if it did not.
    ServerName(StringMatcher),
}

/// A condition on who does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// All of these.
    All(Vec<Principal>),
    /// One of these.
    OneOf(Vec<Principal>),
    /// Not this.
    Not(Box<Principal>),
    /// Always.
    Any,
    /// A TLS connection. With a matcher: one of the peer certificate's URI names, DNS names, or
    /// its subject meets it.
    Authenticated(Option<StringMatcher>),
    /// The peer of the connection.
    DirectRemoteIp(Cidr),
    /// The client, as `x-forwarded-for` or the PROXY protocol have it.
    RemoteIp(Cidr),
    /// A header; a connection without a request has none.
    Header(HeaderMatcher),
    /// The path without query and fragment; a connection without a request has none.
    Path(StringMatcher),
    /// Dynamic metadata.
    Metadata(MetadataMatcher),
}

/// A condition on dynamic metadata (`type.matcher.v3.MetadataMatcher`).
///
/// No filter sets any yet, and without a value there is no condition that holds: so what it
/// would compare with is not kept. The reader of the configuration refuses a matcher of
/// metadata that one of Envoy's filters would have set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MetadataMatcher {
    /// It matches what it would not match.
    pub invert: bool,
}
