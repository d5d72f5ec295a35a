//! Finding a worker's own HTTP services without a socket between.
//!
//! `InvokeService` enters the outbound stack here: the same service that intercepted
//! connections of this worker run through, found as interception finds it ([`call`]).

pub mod call;
mod find;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tandem_model::listener::TrafficDirection;
use tandem_model::matching::{ConnectionFacts, FilterChains, RouteTable};

use crate::HttpService;
use crate::live::Live;

/// One worker's listeners, for calls that are made within the process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Directory(Live<Published>);

/// A listener, and the services of those of its filter chains that speak HTTP.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Its direction.
    pub direction: TrafficDirection,
    /// How connections come to it.
    pub role: Role,
    /// Its addresses.
    pub addresses: Vec<SocketAddr>,
    /// Which of its chains takes what.
    pub index: Arc<FilterChains>,
    /// By the places of the chains.
    pub doors: Vec<Option<Door>>,
    /// Of the default chain.
    pub default_door: Option<Door>,
}

/// How connections come to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Applications connect to it themselves, whatever it is that they want to reach.
    Proxy,
    /// It gets what was going to its address (`bind_to_port: false`).
    Destination,
    /// Traffic is redirected to it, and it hands connections on (`use_original_dst`).
    Capture,
}

/// A filter chain's service, as it is entered.
#[derive(Clone, Debug)]
pub struct Door {
    /// What its requests run through.
    pub service: HttpService,
    /// The routes, if they are the same for all requests.
    pub routes: Option<Live<RouteTable>>,
    /// Whether its clients have to speak TLS.
    pub encrypted: bool,
}

/// What is looked up.
#[derive(Debug, Default)]
pub(crate) struct Published {
    entries: Vec<Entry>,
    /// Outbound listeners by their address …
    by_address: HashMap<SocketAddr, usize>,
    /// … and by the ports of their addresses.
    by_port: HashMap<u16, Vec<usize>>,
    /// Those among them with a door, by what they are to calls.
    shared: Vec<usize>,
    proxies: Vec<usize>,
    captures: Vec<usize>,
}

impl Default for Live<Published> {
    fn default() -> Self {
        Self::new(Published::default())
    }
}

/// Why no service was found for a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No listener has that name, or it does not speak HTTP.
    #[error("no HTTP listener is named '{0}'")]
    Name(String),
    /// No listener says `traffic_direction: OUTBOUND`.
    #[error("no HTTP listener has traffic_direction OUTBOUND")]
    NoOutbound,
    /// Several do that applications connect to themselves.
    #[error(
        "several HTTP listeners have traffic_direction OUTBOUND ({0}): name one in outbound_listener"
    )]
    SeveralOutbound(String),
    /// The call names no host, or a port that is none.
    #[error("'{0}' is not a name or an address, with a port from 1 to 65535 or without")]
    NoDestination(String),
    /// Nothing takes HTTP that goes there.
    #[error(
        "no way to '{host}:{port}': expected an outbound listener of port {port} that speaks HTTP, \
         or routes with a virtual host '{host}'; HTTP is taken on {taken}"
    )]
    Unknown {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
        /// The ports on which HTTP is taken, as text.
        taken: String,
    },
    /// What goes there is not looked into.
    #[error("no way to '{host}:{port}': listener '{listener}' takes it as bytes, not as HTTP")]
    Bytes {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
        /// Who takes it.
        listener: String,
    },
    /// Several destinations could be meant.
    #[error("'{host}:{port}' could be any of {names}: expected a longer name")]
    Ambiguous {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// Whose it could be.
        names: String,
    },
}

impl Directory {
    /// Publishes the listeners of a configuration.
    pub fn publish(&self, entries: Vec<Entry>) {
        self.0.publish(Published::new(entries));
    }

    /// The service of the named listener: its chain for plain HTTP, else its first HTTP chain.
    ///
    /// # Errors
    /// There is no such listener.
    pub fn named(&self, name: &str) -> Result<HttpService, NotFound> {
        let published = self.0.load();
        let entry = published.entries.iter().find(|e| &*e.listener == name);
        let door = entry.and_then(|entry| {
            let plain = entry.addresses.first().and_then(|address| {
                entry.door(&plain(
                    *address,
                    std::slice::from_ref(&*call::HTTP_11),
                    *address,
                ))
            });
            plain.or_else(|| entry.doors().next())
        });
        match door {
            Some(door) => Ok(door.service.clone()),
            None => Err(NotFound::Name(name.to_owned())),
        }
    }
}

impl Published {
    fn new(entries: Vec<Entry>) -> Self {
        let mut published = Self::default();
        let outbound = |entry: &Entry| entry.direction == TrafficDirection::Outbound;
        for (at, entry) in entries.iter().enumerate().filter(|(_, e)| outbound(e)) {
            let speaks_http = entry.doors().next().is_some();
            if entry.role == Role::Capture {
                if speaks_http {
                    published.captures.push(at);
                }
                continue;
            }
            for address in &entry.addresses {
                published.by_address.insert(*address, at);
                let of_port = published.by_port.entry(address.port()).or_default();
                if !of_port.contains(&at) {
                    of_port.push(at);
                }
            }
            if speaks_http && entry.role == Role::Proxy {
                published.proxies.push(at);
            }
            if speaks_http && entry.addresses.iter().any(|a| a.ip().is_unspecified()) {
                published.shared.push(at);
            }
        }
        published.entries = entries;
        published
    }
}

impl Entry {
    /// The doors that it has.
    fn doors(&self) -> impl Iterator<Item = &Door> {
        self.doors.iter().chain([&self.default_door]).flatten()
    }

    /// The door of a connection.
    fn door(&self, facts: &ConnectionFacts<'_>) -> Option<&Door> {
        match self.index.find(facts) {
            Some(at) => self.doors.get(at).and_then(Option::as_ref),
            None => self.default_door.as_ref(),
        }
    }
}

/// A connection that nothing is known of but where it comes from, where it goes, and that it
/// speaks HTTP without TLS.
fn plain(
    destination: SocketAddr,
    protocols: &[Arc<str>],
    source: SocketAddr,
) -> ConnectionFacts<'_> {
    ConnectionFacts {
        destination,
        server_name: "",
        transport_protocol: "raw_buffer",
        application_protocols: protocols,
        direct_source: source.ip(),
        source,
    }
}

#[cfg(test)]
mod tests;
