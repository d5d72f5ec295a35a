//! Any host, by weight.

use crate::host::Tier;

pub(super) fn pick(tier: &Tier) -> Option<u32> {
    tier.hosts.get(place(tier)).copied()
}

/// A random place in the tier, each as likely as its weight says.
pub(super) fn place(tier: &Tier) -> usize {
    match &tier.schedule {
        Some(schedule) => schedule.at(crate::random::below(schedule.len())),
        None => crate::random::below(tier.hosts.len()),
    }
}
