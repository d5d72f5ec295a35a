//! How a cluster's endpoints are found.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::config_source::Subscribed;

/// `Cluster.type`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Discovery {
    /// Fixed IP addresses.
    Static,
    /// All addresses that the names resolve to, refreshed.
    StrictDns(Dns),
    /// One host: the first address that the name resolves to when a connection is made.
    LogicalDns(Dns),
    /// A control plane says it.
    /// The assignment's name is `service_name`, else the cluster's own name.
    Eds(Subscribed),
    /// Where the downstream connection was going before it was intercepted.
    OriginalDst(OriginalDst),
}

impl Discovery {
    /// The DNS settings, if names are resolved.
    pub fn dns(&self) -> Option<&Dns> {
        match self {
            Self::StrictDns(dns) | Self::LogicalDns(dns) => Some(dns),
            Self::Static | Self::Eds(_) | Self::OriginalDst(_) => None,
        }
    }
}

/// How names are resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dns {
    /// Refresh interval; default 5 s.
    pub refresh_rate: Duration,
    /// Refresh interval after a failure; `None`: `refresh_rate`.
    pub failure_refresh_rate: Option<FailureRefresh>,
    /// Use the record's TTL as the interval.
    pub respect_ttl: bool,
    /// Random addition to each interval; default 0.
    pub jitter: Duration,
    /// Which address families to use.
    pub lookup_family: DnsLookupFamily,
    /// The name servers to ask; none: those of the system.
    pub resolvers: Vec<SocketAddr>,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            refresh_rate: Duration::from_secs(5),
            failure_refresh_rate: None,
            respect_ttl: false,
            jitter: Duration::ZERO,
            lookup_family: DnsLookupFamily::Auto,
            resolvers: Vec::new(),
        }
    }
}

/// `dns_failure_refresh_rate`: exponential back-off with full jitter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FailureRefresh {
    /// The first interval.
    pub base: Duration,
    /// The longest; default ten times `base`.
    pub max: Duration,
}

/// `dns_lookup_family`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DnsLookupFamily {
    /// IPv6, then IPv4 if there is none (default).
    #[default]
    Auto,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
    /// IPv4, then IPv6 if there is none.
    V4Preferred,
    /// Both.
    All,
}

/// `original_dst_lb_config` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalDst {
    /// A header that may name another address (`use_http_header`); `None`: no header may.
    pub http_header: Option<HeaderName>,
    /// Another port than the original one.
    pub port_override: Option<u16>,
    /// How long a host stays that nobody uses; default 5 s.
    pub cleanup_interval: Duration,
}

impl Default for OriginalDst {
    fn default() -> Self {
        Self {
            http_header: None,
            port_override: None,
            cleanup_interval: Duration::from_secs(5),
        }
    }
}

/// Where a connection to an ORIGINAL_DST cluster goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The address; `None`: nobody knows one.
    pub address: Option<SocketAddr>,
    /// Whether the request has the header, and that says no address.
    pub is_header_invalid: bool,
}

impl OriginalDst {
    /// What the header says, if it may and it says an address; else where the connection was
    /// going; in either case with the other port.
    pub fn destination(
        &self,
        headers: Option<&HeaderMap>,
        original: Option<SocketAddr>,
    ) -> Destination {
        let named = self.http_header.as_ref().zip(headers);
        let said = named.and_then(|(name, headers)| headers.get(name));
        let said = said.map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
        let mut address = said.flatten().or(original);
        if let (Some(address), Some(port)) = (&mut address, self.port_override) {
            address.set_port(port);
        }
        Destination {
            address,
            is_header_invalid: said == Some(None),
        }
    }
}
