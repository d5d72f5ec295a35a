//! Which host takes the next request.

mod least_request;
mod random;
mod round_robin;
mod schedule;

pub(crate) use schedule::Schedule;

use std::sync::atomic::AtomicUsize;

use tandem_model::cluster::LbPolicy;

use crate::host::{HostSet, Tier};

/// Picks an index into the set's hosts; `None` if no host may be used.
///
/// `cursor` belongs to one worker and one published set.
pub(crate) fn pick(policy: &LbPolicy, set: &HostSet, cursor: &AtomicUsize) -> Option<usize> {
    let tier = tier(set)?;
    let index = match policy {
        LbPolicy::RoundRobin => round_robin::pick(tier, cursor),
        LbPolicy::LeastRequest { choice_count } => {
            least_request::pick(tier, &set.hosts, *choice_count)
        }
        LbPolicy::Random => random::pick(tier),
        // Its hosts are made by the request, not chosen.
        LbPolicy::ClusterProvided => None,
    }?;
    Some(index as usize)
}

/// The group of hosts by the priorities' shares.
fn tier(set: &HostSet) -> Option<&Tier> {
    match set.levels.as_slice() {
        [] => None,
        [only] => Some(&only.tier),
        levels => {
            let number = crate::random::below(100);
            levels
                .iter()
                .find(|level| number < level.until as usize)
                .or(levels.last())
                .map(|level| &level.tier)
        }
    }
}

#[cfg(test)]
mod tests;
