//! Weights of localities: what each of them can bear of what it was meant to.

use std::sync::Arc;

use super::set::Rules;
use super::{Group, Host};

/// One locality of one priority.
struct Locality<'a> {
    group: &'a Group,
    weight: u64,
    all: u64,
    serving: Vec<u32>,
}

/// The localities of one priority that take requests: effective weight and hosts.
///
/// A locality's weight is scaled by its share of hosts that serve, times the overprovisioning
/// factor; one without a weight takes none. Empty if none takes any.
pub(super) fn weigh(
    hosts: &[Arc<Host>],
    members: &[u32],
    serving: &[u32],
    rules: &Rules,
) -> Vec<(u32, Vec<u32>)> {
    let mut localities: Vec<Locality<'_>> = Vec::new();
    for i in members {
        let group = &*hosts[*i as usize].group;
        let place = localities
            .iter()
            .position(|locality| locality.group.locality == group.locality);
        let place = place.unwrap_or_else(|| {
            localities.push(Locality {
                group,
                weight: group.weight.unwrap_or(0).into(),
                all: 0,
                serving: Vec::new(),
            });
            localities.len() - 1
        });
        let locality = &mut localities[place];
        locality.all += 1;
        if serving.binary_search(i).is_ok() {
            locality.serving.push(*i);
        }
    }
    let factor = u64::from(rules.overprovisioning);
    // In parts of 1,200 of a host's share, which many numbers of hosts divide evenly.
    let effective = |locality: &Locality<'_>| {
        let available = factor * locality.serving.len() as u64 * 12 / locality.all;
        locality.weight * available.min(1200)
    };
    let most = localities.iter().map(effective).max().unwrap_or(0);
    let shift = 64 - most.leading_zeros().min(32) - 32;
    localities
        .into_iter()
        .map(|locality| {
            let weight = effective(&locality) >> shift;
            (u32::try_from(weight).unwrap_or(u32::MAX), locality.serving)
        })
        .filter(|(weight, serving)| *weight > 0 && !serving.is_empty())
        .collect()
}
