//! In turn, by weight.

use std::sync::Arc;

use crate::host::{Host, Tier};

pub(super) fn pick(tier: &Tier, hosts: &[Arc<Host>], turn: usize) -> Option<u32> {
    let place = match tier.schedule(hosts) {
        Some(schedule) => schedule.at(turn),
        None => turn.checked_rem(tier.hosts.len())?,
    };
    tier.hosts.get(place).copied()
}
