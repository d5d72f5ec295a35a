//! Which listener is meant by an address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whoever listens on an address: on itself, or on its port on all addresses.
pub fn listening_on<T>(listening: &HashMap<SocketAddr, T>, wanted: SocketAddr) -> Option<&T> {
    let any: IpAddr = match wanted {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let found = listening.get(&wanted);
    found.or_else(|| listening.get(&SocketAddr::new(any, wanted.port())))
}
