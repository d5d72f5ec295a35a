//! The least busy of a few random hosts ("power of two choices").
//!
//! Candidates are drawn by weight and compared by active requests per weight: idle hosts are
//! chosen exactly by weight, and a busy host is avoided in proportion to what it can bear.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::random::place;
use crate::host::{Host, Tier};

pub(super) fn pick(tier: &Tier, hosts: &[Arc<Host>], choice_count: u32) -> Option<u32> {
    let mut best = *tier.hosts.get(place(tier, hosts))?;
    if tier.hosts.len() == 1 {
        return Some(best);
    }
    for _ in 1..choice_count {
        let other = *tier.hosts.get(place(tier, hosts))?;
        if is_busier(&hosts[best as usize], &hosts[other as usize]) {
            best = other;
        }
    }
    Some(best)
}

fn is_busier(a: &Host, b: &Host) -> bool {
    let load = |host: &Host| u64::from(host.state.active_requests.load(Relaxed));
    load(a) * u64::from(b.weight) > load(b) * u64::from(a.weight)
}
