//! The hosts of a cluster as published to workers: who may be chosen, and how often.
//!
//! What depends only on membership and health is computed here, once for each change, so that a
//! pick is a few loads; the order of turns of weighted hosts by the first pick that needs it.

use std::sync::{Arc, OnceLock};

use tandem_model::{Cluster, Percent};

use super::shares::{Counts, Share, shares};
use super::{Host, localities};
use crate::balance::Schedule;

/// One published state of a cluster's hosts.
#[derive(Debug, Default)]
pub(crate) struct HostSet {
    pub(crate) hosts: Vec<Arc<Host>>,
    /// What requests are spread over, with their shares; empty if no host may be used.
    pub(crate) levels: Vec<Level>,
    /// Of all levels, one after the other.
    pub(crate) tiers: Vec<Tier>,
    pub(crate) rules: Rules,
}

/// What of a cluster's settings decides about shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// In percent.
    pub(crate) overprovisioning: u32,
    /// In percent.
    pub(crate) panic_below: u32,
    pub(crate) locality_weighted: bool,
}

/// The hosts of one priority and one kind of health, which take a share of the requests.
#[derive(Debug)]
pub(crate) struct Level {
    /// Requests whose random number (0 to 99) is below this, and not below an earlier level's.
    pub(crate) until: u32,
    /// Whether health is ignored.
    pub(crate) panic: bool,
    /// The first of its tiers, of which there are several only where localities have weights.
    pub(crate) first: usize,
    /// In which order its tiers take turns; `None`: there is one.
    pub(crate) localities: Option<Schedule>,
}

/// Hosts to choose among.
#[derive(Debug)]
pub(crate) struct Tier {
    /// Indices into [`HostSet::hosts`].
    pub(crate) hosts: Vec<u32>,
    /// Whether their weights differ.
    weighted: bool,
    /// Their turns, computed when they first matter.
    schedule: OnceLock<Schedule>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            overprovisioning: 140,
            panic_below: 50,
            locality_weighted: false,
        }
    }
}

impl Rules {
    /// Those of a cluster; of the overprovisioning factor, 0 is "not set".
    pub(crate) fn of(cluster: &Cluster, overprovisioning: u32) -> Self {
        let Percent { millionths } = cluster.healthy_panic_threshold;
        Self {
            overprovisioning: match overprovisioning {
                0 => 140,
                factor => factor,
            },
            panic_below: (millionths + 5_000) / 10_000,
            locality_weighted: cluster.locality_weighted,
        }
    }
}

impl HostSet {
    /// Spreads requests over `hosts` by priority, health and the weights of localities.
    pub(crate) fn new(hosts: Vec<Arc<Host>>, rules: Rules) -> Self {
        let priorities = by_priority(&hosts);
        let counts: Vec<_> = priorities.iter().map(|p| count(p, &hosts)).collect();
        let shares = shares(&counts, rules.overprovisioning, rules.panic_below);
        let mut set = Self {
            hosts,
            rules,
            ..Self::default()
        };
        let mut until = 0;
        for (members, share) in priorities.iter().zip(&shares) {
            set.add(&mut until, share.healthy, share.panic, members, |host| {
                share.panic || host.is_healthy()
            });
        }
        for (members, share) in priorities.iter().zip(&shares) {
            let Share {
                degraded, panic, ..
            } = *share;
            set.add(&mut until, degraded, panic, members, |host| {
                panic || host.is_degraded()
            });
        }
        set
    }

    fn add(
        &mut self,
        until: &mut u32,
        share: u32,
        panic: bool,
        members: &[u32],
        may_serve: impl Fn(&Host) -> bool,
    ) {
        if share == 0 {
            return;
        }
        *until += share;
        let serving: Vec<u32> = members
            .iter()
            .copied()
            .filter(|i| may_serve(&self.hosts[*i as usize]))
            .collect();
        let mut level = Level {
            until: *until,
            panic,
            first: self.tiers.len(),
            localities: None,
        };
        let weighed = (self.rules.locality_weighted && !panic)
            .then(|| localities::weigh(&self.hosts, members, &serving, &self.rules))
            .filter(|weighed| !weighed.is_empty());
        match weighed {
            None => self.tiers.push(Tier::new(serving, &self.hosts)),
            Some(weighed) => {
                let weights: Vec<u32> = weighed.iter().map(|(weight, _)| *weight).collect();
                level.localities = (weights.len() > 1).then(|| Schedule::new(&weights));
                for (_, serving) in weighed {
                    self.tiers.push(Tier::new(serving, &self.hosts));
                }
            }
        }
        self.levels.push(level);
    }

    /// How many there are, how many healthy, degraded, ejected.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let count = |good: fn(&Host) -> bool| self.hosts.iter().filter(|host| good(host)).count();
        [
            self.hosts.len(),
            count(Host::is_healthy),
            count(Host::is_degraded),
            count(Host::is_ejected),
        ]
    }
}

fn by_priority(hosts: &[Arc<Host>]) -> Vec<Vec<u32>> {
    let priority = |host: &Arc<Host>| host.group.priority as usize;
    let highest = hosts.iter().map(priority).max();
    let mut lists = vec![Vec::new(); highest.map_or(0, |highest| highest + 1)];
    for (i, host) in (0..).zip(hosts) {
        lists[priority(host)].push(i);
    }
    lists
}

fn count(members: &[u32], hosts: &[Arc<Host>]) -> Counts {
    let count = |good: fn(&Host) -> bool| {
        let good = |i: &&u32| good(&hosts[**i as usize]);
        members.iter().filter(good).count()
    };
    Counts {
        all: members.len(),
        healthy: count(Host::is_healthy),
        degraded: count(Host::is_degraded),
    }
}

impl Tier {
    fn new(hosts: Vec<u32>, all: &[Arc<Host>]) -> Self {
        let weight = |i: &u32| all[*i as usize].weight;
        Self {
            weighted: hosts.windows(2).any(|w| weight(&w[0]) != weight(&w[1])),
            hosts,
            schedule: OnceLock::new(),
        }
    }

    /// The order of turns, if weights differ.
    pub(crate) fn schedule(&self, all: &[Arc<Host>]) -> Option<&Schedule> {
        self.weighted.then(|| {
            self.schedule.get_or_init(|| {
                let weight = |i: &u32| all[*i as usize].weight;
                let weights: Vec<u32> = self.hosts.iter().map(weight).collect();
                Schedule::new(&weights)
            })
        })
    }
}
