use std::time::Duration;

use super::*;
use crate::cidr::Cidr;
use crate::listener::{FilterChainMatch, NetworkFilter, ServerName};
use crate::tcp_proxy::{TcpCluster, TcpProxy};

fn chain(matches: FilterChainMatch) -> Arc<FilterChain> {
    Arc::new(FilterChain {
        name: "".into(),
        matches,
        transport_socket: None,
        transport_socket_connect_timeout: Some(Duration::from_secs(1)),
        network_filters: Vec::new(),
        filter: NetworkFilter::Tcp(Arc::new(TcpProxy {
            stat_prefix: "t".into(),
            cluster: TcpCluster::Cluster("c".into()),
            idle_timeout: None,
            max_downstream_connection_duration: None,
            max_connect_attempts: 1,
            access_logs: Vec::new(),
        })),
    })
}

fn build(matches: impl IntoIterator<Item = FilterChainMatch>) -> Result<FilterChains, Overlap> {
    let chains: Vec<_> = matches.into_iter().map(chain).collect();
    FilterChains::new(&chains)
}

fn index(matches: impl IntoIterator<Item = FilterChainMatch>) -> FilterChains {
    build(matches).unwrap()
}

fn facts() -> ConnectionFacts<'static> {
    ConnectionFacts {
        destination: "10.1.2.3:80".parse().unwrap(),
        server_name: "",
        transport_protocol: "raw_buffer",
        application_protocols: &[],
        direct_source: "10.9.9.9".parse().unwrap(),
        source: "10.9.9.9:4000".parse().unwrap(),
    }
}

fn to(destination: &str) -> ConnectionFacts<'static> {
    ConnectionFacts {
        destination: destination.parse().unwrap(),
        ..facts()
    }
}

fn from(source: &str) -> ConnectionFacts<'static> {
    let source: SocketAddr = source.parse().unwrap();
    ConnectionFacts {
        direct_source: source.ip(),
        source,
        ..facts()
    }
}

fn asking(server_name: &str) -> ConnectionFacts<'_> {
    ConnectionFacts {
        server_name,
        transport_protocol: "tls",
        ..facts()
    }
}

fn any() -> FilterChainMatch {
    FilterChainMatch::default()
}

fn port(port: u16) -> FilterChainMatch {
    FilterChainMatch {
        destination_port: Some(port),
        ..any()
    }
}

fn ranges(ranges: &[(&str, u8)]) -> Vec<Cidr> {
    let range = |(address, bits): &(&str, u8)| Cidr::new(address.parse().unwrap(), *bits);
    ranges.iter().map(range).collect()
}

fn within(prefixes: &[(&str, u8)]) -> FilterChainMatch {
    FilterChainMatch {
        prefix_ranges: ranges(prefixes),
        ..any()
    }
}

fn names(names: &[&str]) -> FilterChainMatch {
    let name = |name: &&str| match name.strip_prefix('*') {
        Some(suffix) => ServerName::Suffix(suffix.into()),
        None => ServerName::Exact((*name).into()),
    };
    FilterChainMatch {
        server_names: names.iter().map(name).collect(),
        ..any()
    }
}

#[test]
fn one_chain_without_rules_takes_everything() {
    assert_eq!(index([any()]).find(&facts()), Some(0));
    assert_eq!(index([]).find(&facts()), None);
}

#[test]
fn a_port_that_is_named_is_committed_to() {
    let mut picky = port(80);
    picky.server_names = vec![ServerName::Exact("a".into())];
    let chains = index([any(), port(443), picky]);
    assert_eq!(chains.find(&to("10.0.0.1:443")), Some(1));
    assert_eq!(chains.find(&to("10.0.0.1:8080")), Some(0));
    assert_eq!(chains.find(&to("10.0.0.1:80")), None);
}

#[test]
fn the_longest_destination_prefix_wins() {
    let chains = index([
        within(&[("10.0.0.0", 8), ("2001:db8::", 32)]),
        within(&[("10.1.0.0", 16)]),
        within(&[("10.1.2.3", 32)]),
        any(),
    ]);
    assert_eq!(chains.find(&to("10.1.2.3:1")), Some(2));
    assert_eq!(chains.find(&to("10.1.9.9:1")), Some(1));
    assert_eq!(chains.find(&to("10.200.0.1:1")), Some(0));
    assert_eq!(chains.find(&to("[2001:db8::5]:1")), Some(0));
    assert_eq!(chains.find(&to("[::1]:1")), Some(3));
    assert_eq!(chains.find(&to("192.0.2.1:1")), Some(3));
}

#[test]
fn server_names_match_exactly_then_by_the_longest_suffix_then_not_at_all() {
    let chains = index([
        names(&["a.b.example.com"]),
        names(&["*.b.example.com", "*.org"]),
        names(&["*.example.com"]),
        any(),
    ]);
    let found = |name| chains.find(&asking(name));
    assert_eq!(found("a.b.example.com"), Some(0));
    assert_eq!(found("x.b.example.com"), Some(1));
    assert_eq!(found("b.example.com"), Some(2));
    assert_eq!(found("x.y.example.com"), Some(2));
    assert_eq!(found("example.com"), Some(3));
    assert_eq!(found(".example.com"), Some(3));
    assert_eq!(found("a.org."), Some(3));
    assert_eq!(found(""), Some(3));
    assert_eq!(found("ü.org"), Some(1));
}

#[test]
fn transport_then_the_clients_first_application_protocol_that_is_asked_for() {
    let protocols = |transport: Option<&str>, names: &[&str]| FilterChainMatch {
        transport_protocol: transport.map(Into::into),
        application_protocols: names.iter().map(|name| (*name).into()).collect(),
        ..any()
    };
    let chains = index([
        protocols(Some("tls"), &["h2", "istio"]),
        protocols(Some("tls"), &["http/1.1"]),
        protocols(Some("tls"), &[]),
        protocols(None, &["http/1.1", "h2c"]),
    ]);
    let find = |transport_protocol, names: &[&str]| {
        let offered: Vec<Arc<str>> = names.iter().map(|name| (*name).into()).collect();
        chains.find(&ConnectionFacts {
            transport_protocol,
            application_protocols: &offered,
            ..facts()
        })
    };
    assert_eq!(find("tls", &["x", "http/1.1", "h2"]), Some(1));
    assert_eq!(find("tls", &["h2", "http/1.1"]), Some(0));
    assert_eq!(find("tls", &["x"]), Some(2));
    assert_eq!(find("tls", &[]), Some(2));
    assert_eq!(find("raw_buffer", &["h2c"]), Some(3));
    assert_eq!(find("raw_buffer", &["http/1.0"]), None);
    assert_eq!(find("raw_buffer", &[]), None);
}

#[test]
fn local_clients_are_loopback_or_the_address_they_connect_to() {
    let kind = |source_type| FilterChainMatch {
        source_type,
        ..any()
    };
    let chains = index([
        kind(SourceType::SameIpOrLoopback),
        kind(SourceType::External),
    ]);
    assert_eq!(chains.find(&from("127.0.0.1:9")), Some(0));
    assert_eq!(chains.find(&from("[::1]:9")), Some(0));
    assert_eq!(chains.find(&from("10.1.2.3:9")), Some(0));
    assert_eq!(chains.find(&from("127.0.0.2:9")), Some(1));
    assert_eq!(chains.find(&from("10.1.2.4:9")), Some(1));
    let local_only = index([kind(SourceType::SameIpOrLoopback)]);
    assert_eq!(local_only.find(&from("10.1.2.4:9")), None);
    let either = index([kind(SourceType::External), any()]);
    assert_eq!(either.find(&from("127.0.0.1:9")), Some(1));
}

#[test]
fn sources_match_by_the_peer_then_the_client_then_its_port() {
    let source = |direct: &[(&str, u8)], client: &[(&str, u8)], ports: &[u16]| FilterChainMatch {
        direct_source_prefix_ranges: ranges(direct),
        source_prefix_ranges: ranges(client),
        source_ports: ports.to_vec(),
        ..any()
    };
    let chains = index([
        source(&[], &[("10.0.0.0", 8)], &[]),
        source(&[], &[("10.0.0.0", 8)], &[4000, 4001]),
        source(&[], &[("10.2.0.0", 16)], &[5000]),
        source(&[("10.3.0.0", 16)], &[], &[]),
    ]);
    assert_eq!(chains.find(&from("10.9.9.9:4001")), Some(1));
    assert_eq!(chains.find(&from("10.9.9.9:4002")), Some(0));
    assert_eq!(chains.find(&from("10.2.0.1:5000")), Some(2));
    // committed to the longer prefix, which has no chain for this port
    assert_eq!(chains.find(&from("10.2.0.1:4000")), None);
    assert_eq!(chains.find(&from("10.3.0.1:4000")), Some(3));
    assert_eq!(chains.find(&from("192.0.2.1:4000")), None);
}

#[test]
fn chains_that_could_both_be_meant_are_refused() {
    let overlap = |matches: Vec<_>| build(matches).unwrap_err();
    let at = |first, second| Overlap { first, second };
    assert_eq!(overlap(vec![any(), any()]), at(0, 1));
    assert_eq!(
        overlap(vec![port(1), names(&["a", "b"]), names(&["c", "a"])]),
        at(1, 2)
    );
    assert_eq!(
        overlap(vec![within(&[("10.0.0.1", 8), ("10.0.0.2", 8)])]),
        at(0, 0)
    );
    assert!(build([names(&["a"]), port(1), within(&[("10.0.0.0", 8)])]).is_ok());
}
