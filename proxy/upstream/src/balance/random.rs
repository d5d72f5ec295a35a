//! Any host, by weight.

use std::sync::Arc;

use crate::host::{Host, Tier};

pub(super) fn pick(tier: &Tier, hosts: &[Arc<Host>]) -> Option<u32> {
    tier.hosts.get(place(tier, hosts)).copied()
}

/// A random place in the tier, each as likely as its weight says.
pub(super) fn place(tier: &Tier, hosts: &[Arc<Host>]) -> usize {
    match tier.schedule(hosts) {
        Some(schedule) => schedule.at(crate::random::below(schedule.len())),
        None => crate::random::below(tier.hosts.len()),
    }
}
