//! Which filter chain a connection takes.
//!
//! Envoy's order: destination port, destination address, server name, transport protocol,
//! application protocol, the peer's address, where the client is, its address, its port. Each
//! step takes the most specific choice there is and commits to it: when nothing fits further
//! down, the connection matches no chain, though a less specific one might have fitted.

mod asked;
mod levels;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

pub use asked::Asked;
use levels::{Names, Ports, Prefixes, Words};

use crate::listener::{FilterChain, SourceType};

/// What is known of a connection when its chain is chosen.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionFacts<'a> {
    /// Where it connected to, or was going before it was redirected.
    pub destination: SocketAddr,
    /// The server name asked for, in lower case; empty: none.
    pub server_name: &'a str,
    /// What carries it: `tls` or `raw_buffer`.
    pub transport_protocol: &'a str,
    /// What was offered by ALPN, in the client's order, or found by looking.
    pub application_protocols: &'a [Arc<str>],
    /// The peer's address.
    pub direct_source: IpAddr,
    /// The client's address: the peer's, unless a proxy in front told another one.
    pub source: SocketAddr,
}

/// The matching rules of a listener's chains, as an index that is built once.
#[derive(Clone, Debug, Default)]
pub struct FilterChains(Index);

#[derive(Clone, Debug)]
enum Index {
    /// One chain that asks for nothing.
    Only,
    Rules(Box<Destinations>),
}

impl Default for Index {
    fn default() -> Self {
        Self::Rules(Box::default())
    }
}

type Destinations = Ports<Prefixes<Names<Transports>>>;
type Transports = Words<Words<Prefixes<SourceTypes>>>;
type Sources = Prefixes<Ports<usize>>;

/// By [`SourceType`].
#[derive(Clone, Debug, Default)]
struct SourceTypes([Option<Sources>; 3]);

/// Two chains could both be meant by one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter chains {first} and {second} have overlapping matching rules")]
pub struct Overlap {
    /// The place of the earlier chain.
    pub first: usize,
    /// The place of the later one; the same, if it says one thing twice.
    pub second: usize,
}

impl FilterChains {
    /// Builds the index.
    ///
    /// # Errors
    ///
    /// If a connection could belong to two chains with equal right.
    pub fn new(chains: &[Arc<FilterChain>]) -> Result<Self, Overlap> {
        if let [only] = chains
            && only.matches == Default::default()
        {
            return Ok(Self(Index::Only));
        }
        let mut rules = Box::<Destinations>::default();
        for (at, chain) in chains.iter().enumerate() {
            insert(&mut rules, chain, at)?;
        }
        Ok(Self(Index::Rules(rules)))
    }

    /// The place of the chain that the connection takes, if one matches.
    pub fn find(&self, facts: &ConnectionFacts<'_>) -> Option<usize> {
        let rules = match &self.0 {
            Index::Only => return Some(0),
            Index::Rules(rules) => rules,
        };
        rules
            .find(facts.destination.port())?
            .find(facts.destination.ip())?
            .find(facts.server_name)?
            .find([facts.transport_protocol])?
            .find(facts.application_protocols.iter().map(|name| &**name))?
            .find(facts.direct_source)?
            .find(facts)?
            .find(facts.source.ip())?
            .find(facts.source.port())
            .copied()
    }
}

fn insert(rules: &mut Destinations, chain: &FilterChain, at: usize) -> Result<(), Overlap> {
    let wanted = &chain.matches;
    let by_address = rules.entry(wanted.destination_port);
    for range in each(&wanted.prefix_ranges) {
        let by_name = by_address.entry(range.copied());
        for name in each(&wanted.server_names) {
            let by_transport = by_name.entry(name);
            let by_protocol = by_transport.entry(wanted.transport_protocol.as_deref());
            for protocol in each(&wanted.application_protocols) {
                let by_peer = by_protocol.entry(protocol.map(|protocol| &**protocol));
                for range in each(&wanted.direct_source_prefix_ranges) {
                    let by_type = by_peer.entry(range.copied());
                    let by_source = by_type.entry(wanted.source_type);
                    for range in each(&wanted.source_prefix_ranges) {
                        let by_port = by_source.entry(range.copied());
                        for port in each(&wanted.source_ports) {
                            by_port
                                .insert(port.copied(), at)
                                .map_err(|first| Overlap { first, second: at })?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Every alternative, or the one of asking for nothing.
fn each<T>(alternatives: &[T]) -> impl Iterator<Item = Option<&T>> {
    let nothing = alternatives.is_empty().then_some(None);
    alternatives.iter().map(Some).chain(nothing)
}

impl SourceTypes {
    fn entry(&mut self, kind: SourceType) -> &mut Sources {
        self.0[kind as usize].get_or_insert_default()
    }

    fn find(&self, facts: &ConnectionFacts<'_>) -> Option<&Sources> {
        let [any, local, external] = &self.0;
        let said = match is_local(facts) {
            true => local,
            false => external,
        };
        said.as_ref().or(any.as_ref())
    }
}

/// As Envoy has it: of the loopback network only the one address.
fn is_local(facts: &ConnectionFacts<'_>) -> bool {
    let source = facts.source.ip();
    source == IpAddr::V4(Ipv4Addr::LOCALHOST)
        || source == IpAddr::V6(Ipv6Addr::LOCALHOST)
        || source == facts.destination.ip()
}

#[cfg(test)]
mod tests;
