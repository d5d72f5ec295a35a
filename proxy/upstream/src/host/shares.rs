//! How much of the requests each priority takes: Envoy's arithmetic, in whole percents.

/// How many hosts a priority has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) all: usize,
    pub(crate) healthy: usize,
    pub(crate) degraded: usize,
}

/// What a priority takes, in percent. All of them together are 100, or 0 if no host may serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) healthy: u32,
    pub(crate) degraded: u32,
    /// Too few of its hosts are well: all of them serve.
    pub(crate) panic: bool,
}

/// The shares of priorities, the highest first.
///
/// A priority's availability is its share of good hosts times `overprovisioning` (in percent); a
/// lower priority gets what the higher ones cannot bear, and degraded hosts what all healthy ones
/// together cannot. Below `panic_below` percent of good hosts, while all priorities together
/// cannot bear everything, a priority panics; if all do, hosts share by number.
pub(crate) fn shares(counts: &[Counts], overprovisioning: u32, panic_below: u32) -> Vec<Share> {
    let mut shares = vec![Share::default(); counts.len()];
    let availability = |good: usize, all: usize| {
        let scaled = (good * overprovisioning as usize).checked_div(all);
        u32::try_from(scaled.unwrap_or(0).min(100)).unwrap_or(100)
    };
    let healthy: Vec<u32> = counts
        .iter()
        .map(|c| availability(c.healthy, c.all))
        .collect();
    let degraded: Vec<u32> = counts
        .iter()
        .map(|c| availability(c.degraded, c.all))
        .collect();
    let total = (healthy.iter().sum::<u32>() + degraded.iter().sum::<u32>()).min(100);
    let scaled = |available: u32| (available * 100).checked_div(total).unwrap_or(0);
    if total > 0 {
        let mut left = 100;
        for (share, available) in shares.iter_mut().zip(&healthy) {
            share.healthy = left.min(scaled(*available));
            left -= share.healthy;
        }
        for (share, available) in shares.iter_mut().zip(&degraded) {
            share.degraded = left.min(scaled(*available));
            left -= share.degraded;
        }
        // What rounding left over goes to the first that serves at all.
        let first = |list: &[u32]| list.iter().position(|available| *available > 0);
        if let Some(p) = first(&healthy) {
            shares[p].healthy += left;
        } else if let Some(p) = first(&degraded) {
            shares[p].degraded += left;
        }
    }
    if total == 100 || panic_below == 0 {
        return shares;
    }
    for (share, count) in shares.iter_mut().zip(counts) {
        let good = (count.healthy + count.degraded) as u64;
        share.panic = count.all == 0 || 100 * good < u64::from(panic_below) * count.all as u64;
    }
    if shares.iter().all(|share| share.panic) {
        share_by_number(&mut shares, counts);
    }
    shares
}

fn share_by_number(shares: &mut [Share], counts: &[Counts]) {
    let all: usize = counts.iter().map(|count| count.all).sum();
    let mut left = 100;
    for (share, count) in shares.iter_mut().zip(counts) {
        let part = (100 * count.all).checked_div(all).unwrap_or(0);
        share.healthy = u32::try_from(part).unwrap_or(100);
        share.degraded = 0;
        left -= share.healthy;
    }
    if let Some(p) = counts.iter().position(|count| count.all > 0) {
        shares[p].healthy += left;
    }
}

#[cfg(test)]
mod tests;
