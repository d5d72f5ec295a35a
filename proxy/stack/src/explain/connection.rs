//! From the client's connection to the filter chain that takes it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tandem_core::ext::{Certificate, ConnectionInfo, TlsFacts};
use tandem_model::Listener;
use tandem_model::listener::{FilterChain, ListenerFilterKind, NetworkFilter, TrafficDirection};
use tandem_model::matching::{Asked, ConnectionFacts, FilterChains, listening_on};

use super::{Ask, Explanation, Step, World, http, target};

/// What listener filters found.
#[derive(Default)]
struct Seen {
    tls: bool,
    server_name: Option<Arc<str>>,
    application_protocols: Vec<Arc<str>>,
}

pub(super) fn follow(ask: &Ask, world: &World<'_>, out: &mut Explanation) {
    let Some((listener, local, redirected)) = listener(ask, world, out) else {
        return;
    };
    out.listener = Some(listener.name.to_string());
    let seen = look(ask, listener, local);
    let Some(chain) = chain(ask, listener, local, &seen, out) else {
        return;
    };
    out.filter_chain = Some(chain.name.to_string());
    let info = Arc::new(ConnectionInfo {
        remote: Some(ask.source),
        local: Some(local),
        original_destination: redirected.then_some(ask.destination),
        server_name: seen.server_name,
        application_protocols: seen.application_protocols,
        listener: Arc::clone(&listener.name),
        filter_chain: Arc::clone(&chain.name),
        tls: (ask.tls && chain.transport_socket.is_some()).then(|| Arc::new(handshake(ask))),
        ..ConnectionInfo::default()
    });
    if !carried(ask, chain, out) {
        return;
    }
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
        NetworkFilter::Tcp(proxy) => target::tcp(ask, world, &proxy.cluster, redirected, out),
    }
}

/// The listener, the address that the connection has there, and whether it was redirected.
fn listener<'a>(
    ask: &Ask,
    world: &World<'a>,
    out: &mut Explanation,
) -> Option<(&'a Arc<Listener>, SocketAddr, bool)> {
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
    let redirected = first.use_original_dst;
    let mut taken = first;
    if redirected
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
    } else if redirected {
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
    Some((taken, local, redirected))
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
    let name = |at: usize, chain: &FilterChain| match &*chain.name {
        "" => format!("#{}", at + 1),
        name => name.to_owned(),
    };
    let mut step = Step {
        what: "filter chain".to_owned(),
        name: match (found, taken) {
            (Some(at), Some(chain)) => name(at, chain),
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
    for (at, chain) in chains
        .iter()
        .enumerate()
        .filter(|(at, _)| Some(*at) != found)
    {
        let why = match Asked::unmet(chain, &facts) {
            Some(asked) => asked.why(&chain.matches, &facts),
            None => "another chain asks more precisely for something before".to_owned(),
        };
        step.not(name(at, chain), why);
    }
    out.steps.push(step);
    if taken.is_none() {
        out.refuse("no filter chain matches: the connection is closed");
        out.flags = "NR".to_owned();
    }
    taken
}

/// Whether the chain's transport takes the connection.
fn carried(ask: &Ask, chain: &FilterChain, out: &mut Explanation) -> bool {
    match (&chain.transport_socket, &chain.filter) {
        (Some(_), _) if !ask.tls => {
            out.refuse("the filter chain takes TLS only: the handshake of plain bytes fails");
            false
        }
        (Some(tls), _) => {
            if tls.require_client_certificate && ask.identity.is_none() {
                let last = out.steps.len() - 1;
                out.steps[last].note("needs a client certificate: --identity says whose");
            }
            true
        }
        (None, NetworkFilter::Http(_)) if ask.tls => {
            out.refuse("the filter chain does not decrypt: TLS is answered 400, as no HTTP");
            false
        }
        (None, _) => true,
    }
}

fn handshake(ask: &Ask) -> TlsFacts {
    TlsFacts {
        version: "TLSv1.3",
        sni: ask.server_name.clone(),
        alpn: ask.application_protocols.first().cloned(),
        peer: ask.identity.as_ref().map(|uri| {
            Arc::new(Certificate {
                uris: vec![Arc::clone(uri)],
                ..Certificate::default()
            })
        }),
        peer_validated: ask.identity.is_some(),
        ..TlsFacts::default()
    }
}
