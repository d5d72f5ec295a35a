//! The hosts of a cluster as published to workers: who may be chosen, and how often.
//!
//! Everything that depends only on membership and health is computed here, once for each
//! change, so that a pick is a few loads.

use std::sync::Arc;

use tandem_model::Percent;

use super::Host;
use crate::balance::Schedule;

/// One published state of a cluster's hosts.
#[derive(Debug, Default)]
pub(crate) struct HostSet {
    pub(crate) hosts: Vec<Arc<Host>>,
    /// What requests are spread over, with their shares; empty if no host may be used.
    pub(crate) levels: Vec<Level>,
    /// Whether health is being ignored for some priority.
    pub(crate) panic: bool,
}

/// One group of hosts that takes a share of the requests.
#[derive(Debug)]
pub(crate) struct Level {
    /// Requests whose random number (0 to 99) is below this, and not below an earlier level's.
    pub(crate) until: u32,
    /// The choice within it.
    pub(crate) tier: Tier,
}

/// Hosts to choose among.
#[derive(Debug)]
pub(crate) struct Tier {
    /// Indices into [`HostSet::hosts`].
    pub(crate) hosts: Vec<u32>,
    /// Set if weights differ.
    pub(crate) schedule: Option<Schedule>,
}

impl HostSet {
    /// Shares by Envoy's priority rules: availability times overprovisioning, the rest to the
    /// next priority; degraded hosts after all healthy ones; below the panic threshold all
    /// hosts of a priority count.
    pub(crate) fn new(hosts: Vec<Arc<Host>>, overprovisioning: u32, panic_below: Percent) -> Self {
        let priorities = Priorities::of(&hosts);
        let healthy = priorities.availability(&hosts, overprovisioning, |host| host.is_healthy());
        let degraded = priorities.availability(&hosts, overprovisioning, |host| host.is_degraded());
        let total: u32 = (healthy.iter().sum::<u32>() + degraded.iter().sum::<u32>()).min(100);
        let mut set = Self {
            hosts,
            ..Self::default()
        };
        if set.hosts.is_empty() {
            return set;
        }
        let in_panic: Vec<bool> = (0..priorities.0.len())
            .map(|p| total < 100 && priorities.in_panic(p, &set.hosts, panic_below))
            .collect();
        set.panic = in_panic.iter().any(|panic| *panic);
        if total == 0 {
            set.without_available(&priorities, &in_panic);
            return set;
        }
        let mut until = 0;
        for (shares, degraded_tier) in [(&healthy, false), (&degraded, true)] {
            for (p, available) in shares.iter().enumerate() {
                let share = (available * 100).div_ceil(total).min(100 - until);
                if share == 0 {
                    continue;
                }
                until += share;
                let members = priorities.0[p].iter().copied().filter(|i| {
                    let host = &set.hosts[*i as usize];
                    in_panic[p]
                        || if degraded_tier {
                            host.is_degraded()
                        } else {
                            host.is_healthy()
                        }
                });
                let tier = Tier::new(members.collect(), &set.hosts);
                set.levels.push(Level { until, tier });
            }
        }
        set
    }

    /// No host is available: in panic all hosts share, else nobody serves.
    fn without_available(&mut self, priorities: &Priorities, in_panic: &[bool]) {
        let count: usize = priorities.0.iter().map(Vec::len).sum();
        let mut seen = 0;
        for (p, members) in priorities.0.iter().enumerate() {
            if !in_panic[p] || members.is_empty() {
                continue;
            }
            seen += members.len();
            let until = u32::try_from((seen * 100).div_ceil(count)).unwrap_or(100);
            let tier = Tier::new(members.clone(), &self.hosts);
            self.levels.push(Level { until, tier });
        }
    }

    /// Healthy hosts.
    pub(crate) fn healthy(&self) -> usize {
        self.hosts.iter().filter(|host| host.is_healthy()).count()
    }

    /// Degraded hosts.
    pub(crate) fn degraded(&self) -> usize {
        self.hosts.iter().filter(|host| host.is_degraded()).count()
    }
}

/// Host indices by priority.
struct Priorities(Vec<Vec<u32>>);

impl Priorities {
    fn of(hosts: &[Arc<Host>]) -> Self {
        let highest = hosts.iter().map(|host| host.priority).max().unwrap_or(0);
        let mut lists = vec![Vec::new(); highest as usize + 1];
        for (i, host) in (0..).zip(hosts) {
            lists[host.priority as usize].push(i);
        }
        Self(lists)
    }

    fn availability(
        &self,
        hosts: &[Arc<Host>],
        overprovisioning: u32,
        available: impl Fn(&Host) -> bool,
    ) -> Vec<u32> {
        let share = |members: &Vec<u32>| {
            let count = members
                .iter()
                .filter(|i| available(&hosts[**i as usize]))
                .count();
            let scaled = count * overprovisioning as usize / members.len().max(1);
            u32::try_from(scaled.min(100)).unwrap_or(100)
        };
        self.0.iter().map(share).collect()
    }

    fn in_panic(&self, p: usize, hosts: &[Arc<Host>], below: Percent) -> bool {
        let members = &self.0[p];
        let good = members
            .iter()
            .map(|i| &hosts[*i as usize])
            .filter(|host| host.is_healthy() || host.is_degraded())
            .count() as u64;
        !members.is_empty() && good * 1_000_000 < members.len() as u64 * u64::from(below.millionths)
    }
}

impl Tier {
    fn new(hosts: Vec<u32>, all: &[Arc<Host>]) -> Self {
        let weights: Vec<u32> = hosts.iter().map(|i| all[*i as usize].weight).collect();
        let same = weights.windows(2).all(|pair| pair[0] == pair[1]);
        Self {
            schedule: (!same).then(|| Schedule::new(&weights)),
            hosts,
        }
    }
}
