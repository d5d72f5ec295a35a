//! A turn order that gives each host its weight, evenly spread: computed by the first pick
//! after hosts were published, where weights differ; every other pick is one array access.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Longest order kept; longer cycles are cut, which shifts shares by less than 1/4096.
const LONGEST: u64 = 4096;

/// The order in which hosts take turns.
#[derive(Debug)]
pub(crate) struct Schedule(Box<[u32]>);

impl Schedule {
    /// By earliest deadline first, as Envoy's scheduler: a host of weight w is due every 1/w.
    pub(crate) fn new(weights: &[u32]) -> Self {
        let divisor = weights.iter().copied().fold(0, gcd).max(1);
        let cycle: u64 = weights.iter().map(|w| u64::from(w / divisor)).sum();
        let length = cycle.min(LONGEST.max(weights.len() as u64 * 4));
        let scale: u64 = 1 << 40;
        let mut due: BinaryHeap<_> = weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight > 0)
            .map(|(place, weight)| Reverse((scale / u64::from(*weight), place)))
            .collect();
        let mut order = Vec::new();
        for _ in 0..length {
            let Some(Reverse((deadline, place))) = due.pop() else {
                break;
            };
            order.push(u32::try_from(place).unwrap_or(u32::MAX));
            due.push(Reverse((
                deadline + scale / u64::from(weights[place]),
                place,
            )));
        }
        Self(order.into_boxed_slice())
    }

    /// Turns in one round.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whose turn number `turn` is.
    pub(crate) fn at(&self, turn: usize) -> usize {
        let turn = turn.checked_rem(self.0.len()).unwrap_or(0);
        self.0.get(turn).map_or(0, |place| *place as usize)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
