//! What a single filter chain asks for, and what of it a connection does not have.

use std::fmt;
use std::sync::Arc;

use super::{ConnectionFacts, FilterChains};
use crate::listener::{FilterChain, FilterChainMatch, SourceType};

/// A condition of a filter chain, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `destination_port`.
    DestinationPort,
    /// `prefix_ranges`.
    DestinationAddress,
    /// `server_names`.
    ServerName,
    /// `transport_protocol`.
    TransportProtocol,
    /// `application_protocols`.
    ApplicationProtocol,
    /// `direct_source_prefix_ranges`.
    DirectSource,
    /// `source_type`.
    SourceType,
    /// `source_prefix_ranges`.
    SourceAddress,
    /// `source_ports`.
    SourcePort,
}

impl Asked {
    const ALL: [Self; 9] = [
        Self::DestinationPort,
        Self::DestinationAddress,
        Self::ServerName,
        Self::TransportProtocol,
        Self::ApplicationProtocol,
        Self::DirectSource,
        Self::SourceType,
        Self::SourceAddress,
        Self::SourcePort,
    ];

    /// The first condition of a chain that a connection does not meet. A chain that has none
    /// may still not be taken: another one may be more specific.
    pub fn unmet(chain: &FilterChain, facts: &ConnectionFacts<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|asked| {
            // The index itself is asked, about a chain that asks for nothing else.
            let only = FilterChain {
                matches: asked.of(&chain.matches),
                ..chain.clone()
            };
            FilterChains::new(&[Arc::new(only)]).is_ok_and(|index| index.find(facts).is_none())
        })
    }

    /// Of all conditions only this one.
    fn of(self, all: &FilterChainMatch) -> FilterChainMatch {
        let mut one = FilterChainMatch::default();
        match self {
            Self::DestinationPort => one.destination_port = all.destination_port,
            Self::DestinationAddress => one.prefix_ranges.clone_from(&all.prefix_ranges),
            Self::ServerName => one.server_names.clone_from(&all.server_names),
            Self::TransportProtocol => one.transport_protocol.clone_from(&all.transport_protocol),
            Self::ApplicationProtocol => one
                .application_protocols
                .clone_from(&all.application_protocols),
            Self::DirectSource => one
                .direct_source_prefix_ranges
                .clone_from(&all.direct_source_prefix_ranges),
            Self::SourceType => one.source_type = all.source_type,
            Self::SourceAddress => one
                .source_prefix_ranges
                .clone_from(&all.source_prefix_ranges),
            Self::SourcePort => one.source_ports.clone_from(&all.source_ports),
        }
        one
    }

    /// In words: what `matches` expects there, and what the connection has.
    pub fn why(self, matches: &FilterChainMatch, facts: &ConnectionFacts<'_>) -> String {
        match self {
            Self::DestinationPort => {
                let wanted = matches.destination_port.unwrap_or_default();
                format!(
                    "destination port: expected {wanted}, got {}",
                    facts.destination.port()
                )
            }
            Self::DestinationAddress => format!(
                "destination: expected {}, got {}",
                list(&matches.prefix_ranges),
                facts.destination.ip()
            ),
            Self::ServerName => format!(
                "server name: expected {}, got {}",
                list(&matches.server_names),
                or_none(facts.server_name)
            ),
            Self::TransportProtocol => format!(
                "transport protocol: expected {}, got {}",
                matches.transport_protocol.as_deref().unwrap_or_default(),
                facts.transport_protocol
            ),
            Self::ApplicationProtocol => format!(
                "application protocol: expected {}, got {}",
                list(&matches.application_protocols),
                or_none(&list(facts.application_protocols))
            ),
            Self::DirectSource => format!(
                "peer: expected {}, got {}",
                list(&matches.direct_source_prefix_ranges),
                facts.direct_source
            ),
            Self::SourceType => {
                let wanted = match matches.source_type {
                    SourceType::Any => "anywhere",
                    SourceType::SameIpOrLoopback => "this host",
                    SourceType::External => "another host",
                };
                format!("source: expected {wanted}, got {}", facts.source.ip())
            }
            Self::SourceAddress => format!(
                "source: expected {}, got {}",
                list(&matches.source_prefix_ranges),
                facts.source.ip()
            ),
            Self::SourcePort => format!(
                "source port: expected {}, got {}",
                list(&matches.source_ports),
                facts.source.port()
            ),
        }
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn list<T: fmt::Display>(all: &[T]) -> String {
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    words.join(" or ")
}
