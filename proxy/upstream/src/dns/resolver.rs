//! Asking name servers.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ahash::HashMap;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::system_conf::read_system_conf;
use tandem_model::cluster::{Dns, DnsLookupFamily};

/// The resolvers of the process, each made when first needed. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver(Arc<Mutex<HashMap<Key, TokioResolver>>>);

type Key = (DnsLookupFamily, Vec<SocketAddr>);

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// In the server's order; none if the server knows none.
    pub(super) addresses: Vec<IpAddr>,
    /// How long that holds.
    pub(super) ttl: Duration,
}

impl Resolver {
    fn with(&self, dns: &Dns) -> Option<TokioResolver> {
        let key = (dns.lookup_family, dns.resolvers.clone());
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resolver) = made.get(&key) {
            return Some(resolver.clone());
        }
        // Not remembered, if it fails: what is missing may come.
        let resolver = make(dns)
            .inspect_err(|error| tracing::error!(%error, "cannot make a resolver of names"))
            .ok()?;
        made.insert(key, resolver.clone());
        Some(resolver)
    }

    /// The addresses of a name. That there are none is an answer; that nobody answers is not.
    pub(super) async fn lookup(&self, name: &str, dns: &Dns) -> Result<Answer, String> {
        if name.eq_ignore_ascii_case("localhost") {
            return Ok(Answer {
                addresses: loopback(dns.lookup_family),
                ttl: Duration::MAX,
            });
        }
        let resolver = self.with(dns).ok_or("no resolver is configured")?;
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(Answer {
                addresses: found.iter().collect(),
                ttl: found
                    .valid_until()
                    .saturating_duration_since(Instant::now()),
            }),
            Err(error) if is_empty(&error) => Ok(Answer {
                addresses: Vec::new(),
                ttl: Duration::MAX,
            }),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn make(dns: &Dns) -> Result<TokioResolver, NetError> {
    let (mut config, mut options) = read_system_conf()?;
    if !dns.resolvers.is_empty() {
        let (domain, search, _) = config.into_parts();
        let servers = dns.resolvers.iter().map(server).collect();
        config = ResolverConfig::from_parts(domain, search, servers);
    }
    options.ip_strategy = match dns.lookup_family {
        DnsLookupFamily::Auto => LookupIpStrategy::Ipv6thenIpv4,
        DnsLookupFamily::V4Only => LookupIpStrategy::Ipv4Only,
        DnsLookupFamily::V6Only => LookupIpStrategy::Ipv6Only,
        DnsLookupFamily::V4Preferred => LookupIpStrategy::Ipv4thenIpv6,
        DnsLookupFamily::All => LookupIpStrategy::Ipv4AndIpv6,
    };
    // Each cluster has its own refresh rate; answers kept here would defeat it.
    options.cache_size = 0;
    let provider = TokioRuntimeProvider::default();
    let mut builder = TokioResolver::builder_with_config(config, provider);
    *builder.options_mut() = options;
    builder.build()
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

fn is_empty(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => matches!(
            none.response_code,
            ResponseCode::NoError | ResponseCode::NXDomain
        ),
        _ => false,
    }
}

fn loopback(family: DnsLookupFamily) -> Vec<IpAddr> {
    let v4 = IpAddr::from([127, 0, 0, 1]);
    let v6 = IpAddr::from(std::net::Ipv6Addr::LOCALHOST);
    match family {
        DnsLookupFamily::V6Only => vec![v6],
        DnsLookupFamily::All => vec![v4, v6],
        // A server on localhost is far more often on IPv4; Envoy's `AUTO` takes what
        // `/etc/hosts` says, which on Debian is 127.0.0.1 too when ::1 is named otherwise.
        DnsLookupFamily::Auto | DnsLookupFamily::V4Only | DnsLookupFamily::V4Preferred => vec![v4],
    }
}
