//! Success rates: hosts that fail far more often than the others, or than they may.
//!
//! It is what hosts count anyway that is looked at, once each interval: requests pay nothing.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tandem_model::cluster::OutlierDetection;

use super::{found, may_be_ejected};
use crate::cluster::SharedCluster;
use crate::host::{Host, HostState};

/// What became of requests: with answers, and, where that is counted apart, with connections.
pub(crate) const EXTERNAL: usize = 0;
pub(crate) const LOCAL: usize = 1;

/// What the sweep knows of one host.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    seen: [Counts; 2],
    /// The percentage of the latest interval, if there was enough to tell.
    rates: [Option<f64>; 2],
}

/// What hosts are compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Norm {
    /// The average of their rates.
    pub(crate) average: f64,
    /// Whoever is below is ejected.
    pub(crate) threshold: f64,
}

/// What a cluster's hosts were compared with in the latest interval.
#[derive(Debug, Default)]
pub(crate) struct Norms(Mutex<[Option<Norm>; 2]>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    good: u64,
    bad: u64,
}

impl Norms {
    pub(crate) fn get(&self) -> [Option<Norm>; 2] {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, norms: [Option<Norm>; 2]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = norms;
    }
}

impl Norm {
    /// Of these rates, with so many thousandths of their standard deviation below the average.
    fn of(rates: &[f64], stdev_factor: u32) -> Self {
        let count = rates.len() as f64;
        let average = rates.iter().sum::<f64>() / count;
        let squares = rates.iter().map(|rate| (rate - average).powi(2));
        let deviation = (squares.sum::<f64>() / count).sqrt();
        Self {
            average,
            threshold: average - f64::from(stdev_factor) / 1000.0 * deviation,
        }
    }
}

impl Counts {
    fn all(self) -> u64 {
        self.good + self.bad
    }

    fn since(self, before: Self) -> Self {
        Self {
            good: self.good.saturating_sub(before.good),
            bad: self.bad.saturating_sub(before.bad),
        }
    }

    fn percentage(self) -> f64 {
        self.good as f64 * 100.0 / self.all().max(1) as f64
    }
}

impl HostState {
    /// Its success rates in the latest interval.
    pub(crate) fn success_rates(&self) -> [Option<f64>; 2] {
        let looked = self.looked();
        looked.as_ref().map_or([None; 2], |looked| looked.rates)
    }

    fn counts(&self, split: bool) -> [Counts; 2] {
        let local = self.local_errors.load(Relaxed);
        let external = Counts {
            good: self.successes.load(Relaxed) + self.raw_successes.load(Relaxed),
            bad: self.errors.load(Relaxed).saturating_sub(local),
        };
        let local = Counts {
            good: self.total_requests.load(Relaxed),
            bad: local,
        };
        [external, if split { local } else { Counts::default() }]
    }

    fn looked(&self) -> MutexGuard<'_, Option<Box<Looked>>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ejects those who fail too often by what was counted since the last time; whether anything was.
pub(super) fn compare(cluster: &Arc<SharedCluster>, detection: &OutlierDetection) -> bool {
    let hosts = cluster.hosts().hosts.clone();
    let split = detection.split_external_local_origin_errors;
    let counted = hosts.iter().map(|host| {
        let now = host.state.counts(split);
        let mut looked = host.state.looked();
        let looked = looked.get_or_insert_default();
        looked.rates = [None; 2];
        let before = std::mem::replace(&mut looked.seen, now);
        [0, 1].map(|origin| now[origin].since(before[origin]))
    });
    let counted: Vec<[Counts; 2]> = counted.collect();
    let norms = [EXTERNAL, LOCAL].map(|origin| {
        let counts = counted.iter().map(|counts| counts[origin]);
        judge(cluster, detection, origin, hosts.iter().zip(counts))
    });
    cluster.norms.set(norms);
    counted.iter().flatten().any(|counts| counts.all() > 0)
}

fn judge<'a>(
    cluster: &Arc<SharedCluster>,
    detection: &OutlierDetection,
    origin: usize,
    hosts: impl ExactSizeIterator<Item = (&'a Arc<Host>, Counts)>,
) -> Option<Norm> {
    let (by_rate, by_failures) = (&detection.success_rate, &detection.failure_percentage);
    if hosts.len() < by_rate.minimum_hosts.min(by_failures.minimum_hosts) as usize {
        return None;
    }
    let hosts = hosts.filter(|(host, _)| may_be_ejected(cluster, host));
    let hosts: Vec<(&Arc<Host>, Counts)> = hosts.collect();
    let least = by_rate.request_volume.min(by_failures.request_volume);
    for (host, counts) in with_volume(&hosts, least) {
        if let Some(looked) = host.state.looked().as_mut() {
            looked.rates[origin] = Some(counts.percentage());
        }
    }
    let stats = &cluster.stats.outlier;
    let rated: Vec<_> = with_volume(&hosts, by_rate.request_volume).collect();
    let enough = !rated.is_empty() && rated.len() >= by_rate.minimum_hosts as usize;
    let norm = enough.then(|| {
        let rates: Vec<_> = rated
            .iter()
            .map(|(_, counts)| counts.percentage())
            .collect();
        Norm::of(&rates, by_rate.stdev_factor)
    });
    if let Some(norm) = norm {
        for (host, _) in rated
            .iter()
            .filter(|(_, c)| c.percentage() < norm.threshold)
        {
            let enforcing = by_rate.enforcing[origin];
            found(cluster, host, enforcing, &stats.success_rate[origin]);
        }
    }
    let rated: Vec<_> = with_volume(&hosts, by_failures.request_volume).collect();
    if rated.len() >= by_failures.minimum_hosts as usize {
        let most = f64::from(by_failures.threshold);
        let failing = rated.iter().filter(|(_, c)| 100.0 - c.percentage() >= most);
        for (host, _) in failing {
            let enforcing = by_failures.enforcing[origin];
            found(cluster, host, enforcing, &stats.failure_percentage[origin]);
        }
    }
    norm
}

/// Those of whom enough is known.
fn with_volume<'a>(
    hosts: &[(&'a Arc<Host>, Counts)],
    volume: u32,
) -> impl Iterator<Item = (&'a Arc<Host>, Counts)> {
    let enough = move |(_, counts): &(&Arc<Host>, Counts)| counts.all() >= u64::from(volume);
    hosts.iter().copied().filter(enough)
}
