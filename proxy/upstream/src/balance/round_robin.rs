//! In turn, by weight.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::host::Tier;

pub(super) fn pick(tier: &Tier, cursor: &AtomicUsize) -> Option<u32> {
    let turn = cursor.fetch_add(1, Relaxed);
    let place = match &tier.schedule {
        Some(schedule) => schedule.at(turn),
        None => turn.checked_rem(tier.hosts.len())?,
    };
    tier.hosts.get(place).copied()
}
