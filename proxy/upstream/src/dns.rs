//! STRICT_DNS: every address that a name resolves to is an endpoint.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use tandem_model::Address;
use tandem_model::cluster::{DnsLookupFamily, LoadAssignment};
use tokio::sync::watch;

use crate::cluster::{Resolved, SharedCluster, addresses};

/// The system's resolver configuration, read when first needed. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver(Arc<[OnceLock<Option<TokioResolver>>; 5]>);

impl Resolver {
    fn for_family(&self, family: DnsLookupFamily) -> Option<&TokioResolver> {
        let (place, strategy) = match family {
            DnsLookupFamily::Auto => (0, LookupIpStrategy::Ipv6thenIpv4),
            DnsLookupFamily::V4Only => (1, LookupIpStrategy::Ipv4Only),
            DnsLookupFamily::V6Only => (2, LookupIpStrategy::Ipv6Only),
            DnsLookupFamily::V4Preferred => (3, LookupIpStrategy::Ipv4thenIpv6),
            DnsLookupFamily::All => (4, LookupIpStrategy::Ipv4AndIpv6),
        };
        self.0[place]
            .get_or_init(|| {
                let built = TokioResolver::builder_tokio().and_then(|mut builder| {
                    builder.options_mut().ip_strategy = strategy;
                    // Each cluster has its own refresh rate; answers kept here would defeat it.
                    builder.options_mut().cache_size = 0;
                    builder.build()
                });
                built
                    .inspect_err(|error| tracing::error!(%error, "cannot read resolver settings"))
                    .ok()
            })
            .as_ref()
    }

    /// The addresses of a name and how long they hold.
    async fn lookup(
        &self,
        name: &str,
        family: DnsLookupFamily,
    ) -> Result<(Vec<IpAddr>, Duration), String> {
        if name.eq_ignore_ascii_case("localhost") {
            return Ok((loopback(family), Duration::MAX));
        }
        let resolver = self.for_family(family).ok_or("no resolver is configured")?;
        let found = resolver.lookup_ip(name).await.map_err(|e| e.to_string())?;
        let ttl = found
            .valid_until()
            .saturating_duration_since(Instant::now());
        let mut addresses: Vec<IpAddr> = found.iter().collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok((addresses, ttl))
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

/// An endpoint that has a name instead of an address.
struct Name {
    host: Arc<str>,
    port: u16,
    locality: usize,
    endpoint: usize,
}

impl Name {
    fn all(assignment: &LoadAssignment) -> Vec<Self> {
        let mut names = Vec::new();
        for (locality, group) in assignment.localities.iter().enumerate() {
            for (endpoint, configured) in group.endpoints.iter().enumerate() {
                if let Address::Name { host, port } = &configured.address {
                    names.push(Self {
                        host: Arc::clone(host),
                        port: *port,
                        locality,
                        endpoint,
                    });
                }
            }
        }
        names
    }

    fn at(&self, ip: IpAddr) -> Resolved {
        Resolved {
            address: SocketAddr::new(ip, self.port),
            locality: self.locality,
            endpoint: self.endpoint,
            name: Some(Arc::clone(&self.host)),
        }
    }
}

/// Resolves a cluster's names again and again; `first` turns true after the first round.
pub(crate) async fn run(
    resolver: Resolver,
    cluster: Arc<SharedCluster>,
    first: watch::Sender<bool>,
) {
    let Some(dns) = cluster.config.discovery.dns() else {
        return;
    };
    let assignment = &cluster.config.load_assignment;
    let names = Name::all(assignment);
    // The last good answer for each.
    let mut known: Vec<Vec<Resolved>> = vec![Vec::new(); names.len()];
    loop {
        let mut wait = dns.refresh_rate.max(Duration::from_millis(1));
        let mut shortest_ttl = Duration::MAX;
        let lookups = names.iter().map(|name| {
            cluster.stats.update_attempt.inc();
            resolver.lookup(&name.host, dns.lookup_family)
        });
        let answers = futures_util::future::join_all(lookups).await;
        for ((name, answer), known) in names.iter().zip(answers).zip(&mut known) {
            match answer {
                Ok((found, ttl)) => {
                    cluster.stats.update_success.inc();
                    shortest_ttl = shortest_ttl.min(ttl);
                    if found.is_empty() {
                        cluster.stats.update_empty.inc();
                    }
                    *known = found.into_iter().map(|ip| name.at(ip)).collect();
                }
                Err(reason) => {
                    // What was known stays: a broken resolver must not empty a cluster.
                    cluster.stats.update_failure.inc();
                    tracing::debug!(name = %name.host, reason, "name was not resolved");
                }
            }
        }
        let mut all = addresses(assignment);
        all.extend(known.iter().flatten().cloned());
        cluster.set_hosts(assignment, &all);
        first.send_replace(true);
        if dns.respect_ttl && shortest_ttl < Duration::MAX {
            wait = shortest_ttl.max(Duration::from_secs(1));
        }
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests;
