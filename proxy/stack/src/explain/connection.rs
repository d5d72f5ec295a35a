//! From the client's connection to the filter chain that takes it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tandem_core::ext::ConnectionInfo;
use tandem_model::Listener;
use tandem_model::listener::{FilterChain, ListenerFilterKind, NetworkFilter, TrafficDirection};
use tandem_model::matching::{Asked, ConnectionFacts, FilterChains, listening_on};

use super::{Ask, Explanation, Step, World, handshake, http, target};

/// A connection at its listener.
struct Arrival<'a> {
    listener: &'a Arc<Listener>,
    /// The address that it has there.
    local: SocketAddr,
    /// Where it was going, if the listener asks and it was redirected.
    original_destination: Option<SocketAddr>,
}

/// What listener filters found.
#[derive(Default)]
struct Seen {
    tls: bool,
    server_name: Option<Arc<str>>,
    application_protocols: Vec<Arc<str>>,
    /// Connections to endpoints come from the client's address.
    keeps_source: bool,
}

pub(super) fn follow(ask: &Ask, world: &World<'_>, out: &mut Explanation) {
    let Some(arrival) = listener(ask, world, out) else {
        return;
    };
    let Arrival {
        listener, local, ..
    } = arrival;
    out.listener = Some(listener.name.to_string());
    let seen = look(ask, listener, local);
    let Some(chain) = chain(ask, listener, local, &seen, out) else {
        return;
    };
    out.filter_chain = Some(chain.name.to_string());
    let Some(tls) = handshake::shake(ask, world, chain, out) else {
        return;
    };
    let info = Arc::new(ConnectionInfo {
        remote: Some(ask.source),
        local: Some(local),
        original_destination: arrival.original_destination,
        server_name: seen.server_name,
        application_protocols: seen.application_protocols,
        listener: Arc::clone(&listener.name),
        filter_chain: Arc::clone(&chain.name),
        tls: tls.map(Arc::new),
        ..ConnectionInfo::default()
    });
    for gate in &chain.network_filters {
        let verdict = (world.gate)(gate, &info);
        let step = out.step("network filter", "rbac");
        step.note(verdict.says.clone());
        if verdict.refuses.is_some() {
            return out.refuse(format!("the connection is closed: {}", verdict.says));
        }
    }
    match &chain.filter {
        NetworkFilter::Http(manager) if ask.is_http => {
            http::follow(ask, world, manager, listener, info, out);
        }
        NetworkFilter::Http(_) => {
            out.refuse("the filter chain takes HTTP only: other bytes are answered 400");
        }
        NetworkFilter::Tcp(proxy) => target::tcp(world, &proxy.cluster, &info, out),
    }
}

/// The listener that takes the connection.
fn listener<'a>(ask: &Ask, world: &World<'a>, out: &mut Explanation) -> Option<Arrival<'a>> {
    let all = world.listeners;
    let of_side = |listener: &Listener| {
        listener.traffic_direction == ask.direction
            || listener.traffic_direction == TrafficDirection::Unspecified
    };
    let bound: HashMap<SocketAddr, &Arc<Listener>> = all
        .iter()
        .flat_map(|listener| {
            let addresses = listener.addresses().filter_map(|address| address.socket());
            addresses.map(move |address| (address, listener))
        })
        .collect();
    let first = match &ask.listener {
        Some(name) => all.iter().find(|listener| *listener.name == **name),
        None => {
            let mut of_side = all.iter().filter(|listener| of_side(listener));
            let entry = of_side
                .clone()
                .find(|l| l.use_original_dst && l.bind_to_port);
            let only = of_side.next().filter(|_| of_side.next().is_none());
            entry
                .or_else(|| {
                    let found = listening_on(&bound, ask.destination).copied();
                    found.filter(|listener| listener.bind_to_port)
                })
                .or(only)
        }
    };
    let Some(first) = first else {
        let step = out.step("listener", "none");
        for listener in all {
            let addresses: Vec<_> = listener.addresses().map(ToString::to_string).collect();
            step.not(
                &listener.name,
                format!("listens on {}", addresses.join(", ")),
            );
        }
        out.refuse(match &ask.listener {
            Some(name) => format!("there is no listener '{name}'"),
            None => format!(
                "no listener takes {}: name one with --listener",
                ask.destination
            ),
        });
        return None;
    };
    // What is redirected is handed over once, to the listener of where it was going.
    let redirected = is_redirected(ask, first);
    let mut taken = first;
    if redirected
        && first.use_original_dst
        && let Some(other) = listening_on(&bound, ask.destination)
        && other.name != first.name
    {
        taken = other;
    }
    let step = out.step("listener", &taken.name);
    if taken.name != first.name {
        step.note(format!(
            "the original destination is {}; handed over by '{}'",
            ask.destination, first.name
        ));
    } else if redirected && first.use_original_dst {
        step.note(format!(
            "no other listener has the original destination {}",
            ask.destination
        ));
    }
    if redirected && ask.destination.ip().is_unspecified() {
        step.note("the address of the host is not known here: --to says it");
    }
    let own = taken.address.socket().unwrap_or(ask.destination);
    let mut own_addresses = taken.addresses().filter_map(|address| address.socket());
    let is_own = own_addresses.any(|own| own.port() == ask.destination.port());
    let local = match redirected {
        true => ask.destination,
        false if is_own && !ask.destination.ip().is_unspecified() => ask.destination,
        false if own.ip().is_unspecified() => SocketAddr::new(ask.destination.ip(), own.port()),
        false => own,
    };
    Some(Arrival {
        listener: taken,
        local,
        original_destination: redirected.then_some(ask.destination),
    })
}

/// Whether the listener asks where a connection was going, and that was not the listener itself.
fn is_redirected(ask: &Ask, listener: &Listener) -> bool {
    let wanted = ask.destination;
    let mut own = listener.addresses().filter_map(|address| address.socket());
    let is_own = own.any(|own| {
        let of_host = own.ip().is_unspecified() && wanted.ip().is_loopback();
        own.port() == wanted.port() && (of_host || own.ip() == wanted.ip())
    });
    if is_own && !wanted.ip().is_unspecified() && !listener.transparent {
        return false;
    }
    let at = match (listener.transparent, listener.address.socket()) {
        (false, Some(own)) => own.port(),
        _ => wanted.port(),
    };
    let mut filters = listener.listener_filters.iter();
    listener.use_original_dst
        || filters.any(|filter| {
            let disabled = filter.disabled.as_ref();
            matches!(filter.kind, ListenerFilterKind::OriginalDst)
                && !disabled.is_some_and(|predicate| predicate.holds(at))
        })
}

/// What the listener's filters find of such a connection.
fn look(ask: &Ask, listener: &Listener, local: SocketAddr) -> Seen {
    let mut seen = Seen::default();
    for filter in &listener.listener_filters {
        if (filter.disabled.as_ref()).is_some_and(|predicate| predicate.holds(local.port())) {
            continue;
        }
        match filter.kind {
            ListenerFilterKind::TlsInspector(_) if ask.tls => {
                seen.tls = true;
                seen.server_name.clone_from(&ask.server_name);
                seen.application_protocols
                    .clone_from(&ask.application_protocols);
            }
            ListenerFilterKind::HttpInspector if ask.is_http && !ask.tls => {
                let found = if ask.http2 { "h2c" } else { "http/1.1" };
                seen.application_protocols = vec![found.into()];
            }
            ListenerFilterKind::OriginalSrc(_) => seen.keeps_source = true,
            ListenerFilterKind::OriginalDst
            | ListenerFilterKind::TlsInspector(_)
            | ListenerFilterKind::HttpInspector => {}
        }
    }
    seen
}

fn chain<'a>(
    ask: &Ask,
    listener: &'a Listener,
    local: SocketAddr,
    seen: &Seen,
    out: &mut Explanation,
) -> Option<&'a Arc<FilterChain>> {
    let facts = ConnectionFacts {
        destination: local,
        server_name: seen.server_name.as_deref().unwrap_or_default(),
        transport_protocol: if seen.tls { "tls" } else { "raw_buffer" },
        application_protocols: &seen.application_protocols,
        direct_source: ask.source.ip(),
        source: ask.source,
    };
    // Whoever serves refuses overlapping rules before.
    let index = FilterChains::new(&listener.filter_chains).unwrap_or_default();
    let found = index.find(&facts);
    let chains = &listener.filter_chains;
    let taken = found.map(|at| &chains[at]);
    let taken = taken.or(listener.default_filter_chain.as_ref());
    let mut step = Step {
        what: "filter chain".to_owned(),
        name: match (found, taken) {
            (Some(at), Some(chain)) => named(at, chain),
            (None, Some(chain)) if chain.name.is_empty() => "default".to_owned(),
            (None, Some(chain)) => format!("{} (default)", chain.name),
            (_, None) => "none".to_owned(),
        },
        ..Step::default()
    };
    if !listener.listener_filters.is_empty() {
        let words = |all: &[Arc<str>]| all.join(", ");
        step.note(format!(
            "seen: {} to {local}{}{}",
            facts.transport_protocol,
            match facts.server_name {
                "" => String::new(),
                name => format!(", server name {name}"),
            },
            match facts.application_protocols {
                [] => String::new(),
                all => format!(", {}", words(all)),
            },
        ));
    }
    if seen.keeps_source {
        let source = ask.source.ip();
        step.note(format!(
            "connections to endpoints come from {source}, the client's address (original_src)"
        ));
    }
    for (at, chain) in chains
        .iter()
        .enumerate()
        .filter(|(at, _)| Some(*at) != found)
    {
        let why = match Asked::unmet(chain, &facts) {
            Some(asked) => asked.why(&chain.matches, &facts),
            None => match preferred(chains, at, found, &facts) {
                Some(other) => format!(
                    "{} asks more precisely for something before",
                    named(other, &chains[other])
                ),
                None => "another chain is more precise".to_owned(),
            },
        };
        step.not(named(at, chain), why);
    }
    out.steps.push(step);
    if taken.is_none() {
        out.refuse("no filter chain matches: the connection is closed");
        out.flags = "NR".to_owned();
    }
    taken
}

/// What a chain is called; one without a name by its place.
fn named(at: usize, chain: &FilterChain) -> String {
    match &*chain.name {
        "" => format!("#{}", at + 1),
        name => name.to_owned(),
    }
}

/// The chain before which a chain steps back whose conditions all hold: the one that is taken, if
/// it is that one. What a more precise chain asks for besides need not hold.
fn preferred(
    chains: &[Arc<FilterChain>],
    at: usize,
    found: Option<usize>,
    facts: &ConnectionFacts<'_>,
) -> Option<usize> {
    let steps_back = |other: &usize| {
        // The index itself is asked, about the two alone.
        let both = [Arc::clone(&chains[at]), Arc::clone(&chains[*other])];
        *other != at && FilterChains::new(&both).is_ok_and(|index| index.find(facts) != Some(0))
    };
    found.into_iter().chain(0..chains.len()).find(steps_back)
}
