//! Clusters whose endpoints have names: STRICT_DNS, where every address of a name is an
//! endpoint, and LOGICAL_DNS, where one host is wherever its name leads.

mod resolver;
mod schedule;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tandem_model::Address;
use tandem_model::cluster::{Discovery, LoadAssignment};
use tokio::sync::watch;

use crate::cluster::{Resolved, SharedCluster, addresses};

use resolver::Answer;
pub(crate) use resolver::Resolver;
use schedule::Schedule;

/// An endpoint that has a name instead of an address.
struct Name {
    host: Arc<str>,
    port: u16,
    locality: usize,
    endpoint: usize,
    schedule: Schedule,
    /// Whether there was an answer, good or bad.
    asked: bool,
    /// The last good answer.
    known: Option<Vec<IpAddr>>,
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
                        schedule: Schedule::default(),
                        asked: false,
                        known: None,
                    });
                }
            }
        }
        names
    }

    fn resolved(&self) -> impl Iterator<Item = Resolved> {
        self.known.iter().flatten().map(|ip| Resolved {
            address: Address::Socket(SocketAddr::new(*ip, self.port)),
            locality: self.locality,
            endpoint: self.endpoint,
            name: Some(Arc::clone(&self.host)),
        })
    }
}

/// Resolves a cluster's names again and again, each at its own pace; `first` turns true when
/// each was looked up once.
pub(crate) async fn run(
    resolver: Resolver,
    cluster: Arc<SharedCluster>,
    first: watch::Sender<bool>,
) {
    let Some(dns) = cluster.config.discovery.dns() else {
        return;
    };
    let assignment = &cluster.config.load_assignment;
    let mut names = Name::all(assignment);
    let look_up = async |place: usize, host: Arc<str>, wait| {
        tokio::time::sleep(wait).await;
        cluster.stats.updates.attempt.inc();
        (place, resolver.lookup(&host, dns).await)
    };
    let mut lookups: FuturesUnordered<_> = names
        .iter()
        .enumerate()
        .map(|(place, name)| look_up(place, Arc::clone(&name.host), Default::default()))
        .collect();
    if names.is_empty() {
        first.send_replace(true);
    }
    while let Some((place, answer)) = lookups.next().await {
        let Some(name) = names.get_mut(place) else {
            continue;
        };
        let answer = answer.and_then(|answer| usable(answer, &cluster));
        let wait = match &answer {
            Ok(answer) => name.schedule.after_success(dns, answer),
            Err(_) => name.schedule.after_failure(dns),
        };
        let answered = answer.is_ok();
        learn(name, answer, &cluster);
        lookups.push(look_up(place, Arc::clone(&name.host), wait));
        // Until one is good those of a cluster that was replaced serve on.
        if names.iter().any(|name| name.known.is_some()) {
            let mut all = addresses(assignment);
            all.extend(names.iter().flat_map(Name::resolved));
            if !cluster.set_hosts(assignment, &all) && answered {
                cluster.stats.updates.no_rebuild.inc();
            }
        }
        if !*first.borrow() && names.iter().all(|name| name.asked) {
            first.send_replace(true);
        }
    }
}

/// What the cluster's type makes of an answer.
fn usable(mut answer: Answer, cluster: &SharedCluster) -> Result<Answer, String> {
    let addresses = &mut answer.addresses;
    if let Discovery::LogicalDns(_) = cluster.config.discovery {
        // The host stays where it was, since it must be somewhere.
        if addresses.is_empty() {
            return Err("it has no addresses".to_owned());
        }
        addresses.truncate(1);
    } else {
        // Servers shuffle their answers; that is no change.
        addresses.sort_unstable();
        addresses.dedup();
    }
    Ok(answer)
}

fn learn(name: &mut Name, answer: Result<Answer, String>, cluster: &SharedCluster) {
    let updates = &cluster.stats.updates;
    name.asked = true;
    match answer {
        Ok(Answer { addresses, .. }) => {
            updates.success.inc();
            name.known = Some(addresses);
        }
        Err(reason) => {
            // What was known stays: a broken resolver must not empty a cluster.
            updates.failure.inc();
            tracing::debug!(name = %name.host, reason, "name was not resolved");
        }
    }
}

#[cfg(test)]
mod tests;
