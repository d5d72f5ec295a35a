//! A cluster as it is now, for whoever asks where a request would go.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use http::HeaderMap;
use tandem_model::bootstrap::Locality;
use tandem_model::cluster::{Discovery, EndpointHealth, Labels};
use tandem_model::tls::UpstreamTransport;
use tandem_model::{Address, Cluster};

use crate::ClusterManager;
use crate::cluster::SharedCluster;
use crate::host::{Host, HostSet};

/// One cluster now.
#[derive(Clone, Debug)]
pub struct ClusterView {
    /// Its settings, the endpoints aside.
    pub config: Arc<Cluster>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointView>,
    /// Names that are to be resolved, and have not been yet.
    pub unresolved: Vec<String>,
    /// Whether health is ignored in a priority, since too few of its endpoints are well.
    pub panics: bool,
}

/// One endpoint now.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointView {
    /// Its address.
    pub address: String,
    /// Its host name, if it has one.
    pub hostname: String,
    /// 0 is the highest.
    pub priority: u32,
    /// Where it is.
    pub locality: Locality,
    /// Its weight.
    pub weight: u32,
    /// How it is, in words.
    pub health: String,
    /// Which part of the requests it gets, in percent.
    pub share: f64,
    /// What carries the connections to it; empty where the cluster never encrypts.
    pub transport: String,
}

impl ClusterManager {
    /// A cluster as it is now; `None`: there is none of that name.
    pub fn view(&self, name: &str) -> Option<ClusterView> {
        let cluster = self.snapshot().by_name.get(name).cloned()?;
        Some(view(&cluster))
    }
}

impl ClusterView {
    /// Where a request or connection goes whose address no list names: the address that serving
    /// would take, which its endpoint then gets the whole share of.
    pub fn follow(
        &mut self,
        headers: Option<&HeaderMap>,
        original: Option<SocketAddr>,
    ) -> Option<SocketAddr> {
        let Discovery::OriginalDst(settings) = &self.config.discovery else {
            return None;
        };
        let to = settings.destination(headers, original).address?;
        let text = to.to_string();
        match self.endpoints.iter_mut().find(|one| one.address == text) {
            Some(known) => known.share = 100.0,
            None => self.endpoints.push(EndpointView {
                address: text,
                hostname: String::new(),
                priority: 0,
                locality: Locality::default(),
                weight: 1,
                health: "not connected to yet".to_owned(),
                share: 100.0,
                transport: transport(&self.config, &Labels::default()),
            }),
        }
        Some(to)
    }
}

fn view(cluster: &SharedCluster) -> ClusterView {
    let set = cluster.hosts();
    let shares = shares(&set);
    let hosts = set.hosts.iter().zip(shares);
    let seen = |host: &Host, share: f64| endpoint(&cluster.config, host, share);
    let mut endpoints: Vec<_> = hosts.map(|(host, share)| seen(host, share)).collect();
    let on_demand = cluster.hosts_on_demand();
    endpoints.extend(on_demand.iter().map(|host| seen(host, 0.0)));
    let names = match cluster.config.discovery {
        Discovery::StrictDns(_) | Discovery::LogicalDns(_) if endpoints.is_empty() => {
            let localities = &cluster.config.load_assignment.localities;
            let all = localities.iter().flat_map(|locality| &locality.endpoints);
            all.map(|endpoint| &endpoint.address)
                .filter(|address| matches!(address, Address::Name { .. }))
                .map(ToString::to_string)
                .collect()
        }
        _ => Vec::new(),
    };
    ClusterView {
        config: Arc::clone(&cluster.config),
        endpoints,
        unresolved: names,
        panics: set.levels.iter().any(|level| level.panic),
    }
}

fn endpoint(cluster: &Cluster, host: &Host, share: f64) -> EndpointView {
    EndpointView {
        address: host.text().to_string(),
        hostname: host.hostname.to_string(),
        priority: host.group.priority,
        locality: host.group.locality.clone(),
        weight: host.weight,
        health: health(host),
        share,
        transport: transport(cluster, &host.labels),
    }
}

fn transport(cluster: &Cluster, labels: &Labels) -> String {
    let (carries, by) = cluster.transport_of(labels);
    let kind = match carries {
        UpstreamTransport::Tls(_) => "TLS",
        UpstreamTransport::Raw if cluster.tls().next().is_none() => return String::new(),
        UpstreamTransport::Raw => "plain",
    };
    match by {
        Some(by) => format!("{kind} (match '{}')", by.name),
        None => kind.to_owned(),
    }
}

fn health(host: &Host) -> String {
    let mut words = vec![
        match host.health {
            EndpointHealth::Healthy => "healthy",
            EndpointHealth::Unhealthy => "unhealthy, says its configuration",
            EndpointHealth::Degraded => "degraded, says its configuration",
            EndpointHealth::Draining => "draining, says its configuration",
        }
        .to_owned(),
    ];
    let state = &host.state;
    if state.ejected.load(Relaxed) {
        if host.health == EndpointHealth::Healthy {
            words.clear();
        }
        let since = state.ejected_at.lock();
        let since = since.unwrap_or_else(PoisonError::into_inner);
        let since = since.map_or(0, |at| at.elapsed().as_secs());
        words.push(format!("ejected by outlier detection {since} s ago"));
    }
    words.join(", ")
}

/// Which part of the requests each host gets, in percent, by what workers choose by.
fn shares(set: &HostSet) -> Vec<f64> {
    let mut shares = vec![0.0; set.hosts.len()];
    let mut before = 0;
    for (place, level) in set.levels.iter().enumerate() {
        let of_level = f64::from(level.until - before);
        before = level.until;
        let next = set.levels.get(place + 1);
        let tiers = &set.tiers[level.first..next.map_or(set.tiers.len(), |next| next.first)];
        let mut turns = vec![0_u32; tiers.len()];
        match &level.localities {
            Some(order) => (0..order.len()).for_each(|turn| turns[order.at(turn)] += 1),
            None => turns.fill(1),
        }
        let all: u32 = turns.iter().sum();
        for (tier, turns) in tiers.iter().zip(turns) {
            let of_tier = of_level * f64::from(turns) / f64::from(all.max(1));
            let weight = |i: &u32| f64::from(set.hosts[*i as usize].weight);
            let total: f64 = tier.hosts.iter().map(weight).sum();
            for host in &tier.hosts {
                shares[*host as usize] += of_tier * weight(host) / total.max(1.0);
            }
        }
    }
    shares
}
