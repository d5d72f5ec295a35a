//! Who the client is: the peer, or whom trusted proxies in front say it is.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use tandem_core::headers::X_FORWARDED_FOR;
use tandem_model::HttpConnectionManager;

/// The client as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address; a port is only known of the direct peer.
    pub(crate) address: Option<SocketAddr>,
    /// Whether it is internal: then it may set `x-envoy-*` headers.
    pub(crate) internal: bool,
}

/// Weighs `x-forwarded-for` as Envoy's connection manager does.
pub(crate) fn find(
    manager: &HttpConnectionManager,
    headers: &HeaderMap,
    peer: Option<SocketAddr>,
) -> Client {
    let hops = usize::try_from(manager.xff_num_trusted_hops).unwrap_or(usize::MAX);
    let (address, alone) = if manager.use_remote_address {
        let trusted = hops
            .checked_sub(1)
            .and_then(|hops| forwarded(headers, hops));
        let alone = !headers.contains_key(X_FORWARDED_FOR);
        (trusted.map(|(address, _)| address).or(peer), alone)
    } else {
        match forwarded(headers, hops) {
            Some((address, alone)) => (Some(address), alone),
            // Nobody vouches for a peer that is not trusted itself.
            None => (peer, false),
        }
    };
    let internal = alone
        && match address {
            Some(address) => is_internal(manager, address.ip()),
            None => manager.internal_unix_sockets,
        };
    Client { address, internal }
}

/// The address `hops` places from the right of `x-forwarded-for`, and whether it is the only
/// one.
fn forwarded(headers: &HeaderMap, hops: usize) -> Option<(SocketAddr, bool)> {
    let mut addresses: Vec<&str> = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        addresses.extend(value.to_str().ok()?.split(',').map(str::trim));
    }
    let wanted = addresses.len().checked_sub(hops + 1)?;
    let address: IpAddr = addresses.get(wanted)?.parse().ok()?;
    Some((SocketAddr::new(address, 0), addresses.len() == 1))
}

fn is_internal(manager: &HttpConnectionManager, address: IpAddr) -> bool {
    let Some(ranges) = &manager.internal_address else {
        return false;
    };
    ranges
        .iter()
        .any(|(network, bits)| contains(*network, *bits, address))
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let mask = |width: u32, bits: u8| u32::from(bits).min(width);
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - mask(32, bits);
            u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - mask(128, bits);
            u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
        }
        _ => false,
    }
}
