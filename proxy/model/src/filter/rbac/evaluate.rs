//! Deciding.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Action, Permission, Policy, Principal, Rules};
use crate::matching::RequestView;

/// What rules look at. All is borrowed; making one costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The request, if there is one.
    pub request: Option<RequestView<'a>>,
    /// Where the client connected to.
    pub local: Option<SocketAddr>,
    /// The peer of the connection.
    pub peer: Option<SocketAddr>,
    /// The client, as far as trusted proxies say; without such, the peer.
    pub client: Option<SocketAddr>,
    /// The server name that the client asked for; empty if none.
    pub server_name: &'a str,
    /// What TLS knows of the peer; `None` without TLS.
    pub tls: Option<Peer<'a>>,
}

/// The peer of a TLS connection: empty fields if it showed no certificate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer<'a> {
    /// Its URI names.
    pub uri_sans: &'a [Arc<str>],
    /// Its DNS names.
    pub dns_sans: &'a [Arc<str>],
    /// Its subject, as RFC 2253 writes it.
    pub subject: &'a str,
}

/// What rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it passes.
    pub allowed: bool,
    /// Which policy matched.
    pub policy: Option<usize>,
}

impl Rules {
    /// Decides.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let mut policies = self.policies.iter();
        let policy = policies.position(|policy| policy.matches(facts));
        let allowed = match self.action {
            Action::Allow => policy.is_some(),
            Action::Deny => policy.is_none(),
            Action::Log => true,
        };
        Decision { allowed, policy }
    }
}

impl Policy {
    /// Whether it applies.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.permissions.iter().any(|rule| rule.matches(facts))
            && self.principals.iter().any(|id| id.matches(facts))
    }
}

impl Permission {
    /// Whether the condition holds.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        let port = facts.local.map(|local| local.port());
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.matches(facts)),
            Self::OneOf(rules) => rules.iter().any(|rule| rule.matches(facts)),
            Self::Not(rule) => !rule.matches(facts),
            Self::Any => true,
            Self::Header(header) => facts.request.is_some_and(|view| header.matches(&view)),
            Self::Path(path) => facts.request.is_some_and(|view| path.matches(view.path())),
            Self::DestinationIp(range) => {
                (facts.local).is_some_and(|local| range.contains(local.ip()))
            }
            Self::DestinationPort(wanted) => port == Some(*wanted),
            Self::DestinationPorts { start, end } => {
                port.is_some_and(|port| (*start..*end).contains(&i32::from(port)))
            }
            Self::Metadata(metadata) => metadata.invert,
            Self::ServerName(name) => name.matches(facts.server_name),
        }
    }
}

impl Principal {
    /// Whether the condition holds.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All(ids) => ids.iter().all(|id| id.matches(facts)),
            Self::OneOf(ids) => ids.iter().any(|id| id.matches(facts)),
            Self::Not(id) => !id.matches(facts),
            Self::Any => true,
            Self::Authenticated(name) => facts.tls.is_some_and(|peer| {
                let Some(name) = name else { return true };
                let sans = peer.uri_sans.iter().chain(peer.dns_sans);
                sans.into_iter().any(|san| name.matches(san)) || name.matches(peer.subject)
            }),
            Self::DirectRemoteIp(range) => {
                (facts.peer).is_some_and(|peer| range.contains(peer.ip()))
            }
            Self::RemoteIp(range) => {
                (facts.client).is_some_and(|client| range.contains(client.ip()))
            }
            Self::Header(header) => facts.request.is_some_and(|view| header.matches(&view)),
            Self::Path(path) => facts.request.is_some_and(|view| path.matches(view.path())),
            Self::Metadata(metadata) => metadata.invert,
        }
    }
}
