//! Which host takes the next request.

mod least_request;
mod random;
mod round_robin;
mod schedule;

pub(crate) use schedule::Schedule;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tandem_model::cluster::LbPolicy;

use crate::host::{HostSet, Level};

/// Where one worker is in the turns of one published set: one place for each of its tiers, and
/// then one for each of its levels.
#[derive(Debug, Default)]
pub(crate) struct Cursors(Box<[AtomicUsize]>);

/// The host chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    /// Its place among the set's hosts.
    pub(crate) host: usize,
    /// Whether health was ignored for its sake.
    pub(crate) panic: bool,
}

impl Cursors {
    /// Workers start at different hosts, so that few requests do not all meet the first.
    pub(crate) fn new(set: &HostSet) -> Self {
        let start = |_| AtomicUsize::new(crate::random::below(1 << 16));
        let count = set.tiers.len() + set.levels.len();
        Self((0..count).map(start).collect())
    }

    fn next(&self, place: usize) -> usize {
        self.0.get(place).map_or(0, |at| at.fetch_add(1, Relaxed))
    }
}

/// Picks a host; `None` if none may be used.
pub(crate) fn pick(policy: &LbPolicy, set: &HostSet, cursors: &Cursors) -> Option<Pick> {
    let (place, level) = level(set)?;
    let tier_place = match &level.localities {
        None => level.first,
        Some(turns) => level.first + turns.at(cursors.next(set.tiers.len() + place)),
    };
    let tier = set.tiers.get(tier_place)?;
    let host = match policy {
        LbPolicy::RoundRobin => round_robin::pick(tier, &set.hosts, cursors.next(tier_place)),
        LbPolicy::LeastRequest { choice_count } => {
            least_request::pick(tier, &set.hosts, *choice_count)
        }
        LbPolicy::Random => random::pick(tier, &set.hosts),
        // Its hosts are made by the request, not chosen.
        LbPolicy::ClusterProvided => None,
    }?;
    Some(Pick {
        host: host as usize,
        panic: level.panic,
    })
}

/// The group of hosts by the priorities' shares.
fn level(set: &HostSet) -> Option<(usize, &Level)> {
    match set.levels.as_slice() {
        [] => None,
        [only] => Some((0, only)),
        levels => {
            let number = crate::random::below(100);
            let mut places = levels.iter().enumerate();
            places
                .find(|(_, level)| number < level.until as usize)
                .or_else(|| levels.last().map(|last| (levels.len() - 1, last)))
        }
    }
}

#[cfg(test)]
mod tests;
