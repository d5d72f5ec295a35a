//! Address ranges (`config.core.v3.CidrRange`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: an address of which only the first `bits` count. What lies behind them is zero,
/// so that two ranges of the same addresses are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

impl Cidr {
    /// The network of `bits` bits that `address` lies in; more bits than the address has are
    /// all of them, as Envoy reads it.
    pub fn new(address: IpAddr, bits: u8) -> Self {
        let bits = bits.min(width(address));
        Self {
            network: masked(address, bits),
            bits,
        }
    }

    /// Its first address.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// The length of its prefix.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether the address lies in it; addresses of the other family never do.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.network.is_ipv4() && masked(address, self.bits) == self.network
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(u32::from(32 - bits)).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(u32::from(128 - bits)).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

#[cfg(test)]
mod tests;
