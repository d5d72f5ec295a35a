//! Which listener takes a call: the one that interception would hand the application's own
//! connection to.
//!
//! An id that is an address is looked up as an original destination. A name has no address here,
//! so listeners are found by port, and among those of one port by the virtual hosts of their
//! routes; where these name the destination's address (as istiod's do), by that.

use std::net::{IpAddr, SocketAddr};

use super::call::{Call, Target, Way};
use super::{Directory, Door, Entry, NotFound, Published, plain};

/// How many names an error shows.
const SHOWN: usize = 5;

impl Directory {
    /// The way of a call.
    ///
    /// # Errors
    /// What was looked for in vain.
    pub fn way(&self, call: &Call<'_>) -> Result<Way, NotFound> {
        let target = call.target()?;
        let published = self.0.load();
        match target.address {
            Some(address) => published.to_address(&target, address),
            None => published.to_name(&target),
        }
    }
}

impl Published {
    fn to_address(&self, target: &Target<'_>, address: IpAddr) -> Result<Way, NotFound> {
        let wanted = SocketAddr::new(address, target.port);
        let [any, _] = target.anywhere();
        let found = self.by_address.get(&wanted);
        match found.or_else(|| self.by_address.get(&any)) {
            Some(at) => target.enter(&self.entries[*at], wanted),
            None => self.otherwise(target, Some(wanted)),
        }
    }

    fn to_name(&self, target: &Target<'_>) -> Result<Way, NotFound> {
        let Some(of_port) = self.by_port.get(&target.port) else {
            return self.otherwise(target, None);
        };
        let any = target.anywhere().into_iter();
        let any = any.filter_map(|address| Some((address, *self.by_address.get(&address)?)));
        // 1. A listener of the whole port knows the name, unless the name's own address has one.
        for (address, at) in any.clone() {
            if let Some(way) = self.known_to(at, address, target) {
                return self.at_its_address(at, target).unwrap_or(Ok(way));
            }
        }
        // 2. Listeners of other ports know its address.
        let mut others = self.shared.iter();
        if let Some(way) = others.find_map(|at| self.at_its_address(*at, target)) {
            return way;
        }
        // 3. A listener of one address is meant by its routes.
        let mut meant = of_port.iter().filter_map(|at| self.meant(*at, target));
        if let Some((first, way)) = meant.next() {
            let same = |other: &str| first.eq_ignore_ascii_case(other);
            return match meant.find(|(other, _)| !same(other)) {
                None => Ok(way),
                Some((second, _)) => Err(target.ambiguous(&first, &second)),
            };
        }
        // 4. The listener of the whole port has the last word, as it has for connections.
        if let Some((address, at)) = any.clone().next() {
            let way = target.enter(&self.entries[at], address)?;
            return Ok(Way {
                destination: None,
                ..way
            });
        }
        self.otherwise(target, None)
    }

    /// Through a listener whose routes name the target.
    fn known_to(&self, at: usize, address: SocketAddr, target: &Target<'_>) -> Option<Way> {
        let door = target.door(&self.entries[at], address)?;
        let known = target.known(&door.routes.as_ref()?.load())?;
        Some(Way {
            service: door.service.clone(),
            destination: None,
            needs_port: known.needs_port,
        })
    }

    /// Through the listener of the target's own address, if the routes of another one say the
    /// address and it has a listener.
    fn at_its_address(&self, at: usize, target: &Target<'_>) -> Option<Result<Way, NotFound>> {
        let mut doors = self.entries[at].doors();
        doors.find_map(|door| {
            let routes = door.routes.as_ref()?.load();
            let known = target.known(&routes)?;
            let host = &routes.config().virtual_hosts[known.host];
            host.domains.iter().find_map(|domain| {
                let wanted = SocketAddr::new(domain.parse().ok()?, target.port);
                let at = self.by_address.get(&wanted)?;
                Some(target.enter(&self.entries[*at], wanted))
            })
        })
    }

    /// Through a listener of one address whose only virtual host is the target's.
    fn meant(&self, at: usize, target: &Target<'_>) -> Option<(String, Way)> {
        let entry = &self.entries[at];
        let of_port = |address: &&SocketAddr| address.port() == target.port;
        let address = *entry.addresses.iter().find(of_port)?;
        if address.ip().is_unspecified() {
            return None;
        }
        let door = target.door(entry, address)?;
        let routes = door.routes.as_ref()?.load();
        let known = target.known(&routes);
        let host = known.map(|known| known.host).or_else(|| {
            let host = routes.virtual_host(target.id)?;
            let name = &routes.config().virtual_hosts[host].name;
            target.is_meant(name).then_some(host)
        })?;
        let way = Way {
            service: door.service.clone(),
            destination: Some(address),
            needs_port: known.is_some_and(|known| known.needs_port),
        };
        Some((routes.config().virtual_hosts[host].name.to_string(), way))
    }

    /// Where no listener has the port: the listener that takes what no other one does, or the
    /// one that applications connect to themselves.
    fn otherwise(&self, target: &Target<'_>, wanted: Option<SocketAddr>) -> Result<Way, NotFound> {
        let [any, _] = target.anywhere();
        for at in &self.captures {
            if let Some(door) = target.door(&self.entries[*at], wanted.unwrap_or(any)) {
                return Ok(Way::through(door, wanted));
            }
        }
        let mut known = self.proxies.iter().filter_map(|at| {
            let address = *self.entries[*at].addresses.first()?;
            self.known_to(*at, address, target)
        });
        let first = known.next();
        if let (Some(way), None) = (first, known.next()) {
            return Ok(way);
        }
        match self.proxies[..] {
            [only] => {
                let entry = &self.entries[only];
                let door = entry.addresses.first().and_then(|a| target.door(entry, *a));
                let door = door.or_else(|| entry.doors().next());
                door.map(|door| Way::through(door, wanted))
                    .ok_or(NotFound::NoOutbound)
            }
            [first, second, ..] => Err(NotFound::SeveralOutbound(format!(
                "{}, {}, …",
                self.entries[first].listener, self.entries[second].listener
            ))),
            [] => Err(self.unknown(target)),
        }
    }

    fn unknown(&self, target: &Target<'_>) -> NotFound {
        let with_http = |at: &&usize| self.entries[**at].doors().next().is_some();
        let mut ports: Vec<u16> = (self.by_port.iter())
            .filter(|(_, of_port)| of_port.iter().any(|at| with_http(&at)))
            .map(|(port, _)| *port)
            .collect();
        ports.sort_unstable();
        if ports.is_empty() {
            return NotFound::NoOutbound;
        }
        let shown = ports.iter().take(SHOWN).map(u16::to_string);
        let mut taken = shown.collect::<Vec<_>>().join(", ");
        if ports.len() > SHOWN {
            taken += ", …";
        }
        NotFound::Unknown {
            host: target.host.to_owned(),
            port: target.port,
            taken: format!("port {taken}"),
        }
    }
}

impl Target<'_> {
    /// The door that a listener has for it, without TLS.
    fn door<'a>(&self, entry: &'a Entry, destination: SocketAddr) -> Option<&'a Door> {
        let door = entry.door(&plain(destination, self.protocols, self.client));
        door.filter(|door| !door.encrypted)
    }

    fn enter(&self, entry: &Entry, destination: SocketAddr) -> Result<Way, NotFound> {
        match self.door(entry, destination) {
            Some(door) => {
                let known = door.routes.as_ref().and_then(|r| self.known(&r.load()));
                Ok(Way {
                    needs_port: known.is_some_and(|known| known.needs_port),
                    ..Way::through(door, Some(destination))
                })
            }
            None => Err(NotFound::Bytes {
                host: self.host.to_owned(),
                port: self.port,
                listener: entry.listener.to_string(),
            }),
        }
    }

    fn ambiguous(&self, first: &str, second: &str) -> NotFound {
        NotFound::Ambiguous {
            host: self.host.to_owned(),
            port: self.port,
            names: format!("'{first}', '{second}'"),
        }
    }
}

impl Way {
    fn through(door: &Door, destination: Option<SocketAddr>) -> Self {
        Self {
            service: door.service.clone(),
            destination,
            needs_port: false,
        }
    }
}
