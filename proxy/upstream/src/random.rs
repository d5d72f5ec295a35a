//! Random numbers for choosing hosts and back-offs: fast, and not for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// The next number of this thread's sequence (SplitMix64).
pub(crate) fn next() -> u64 {
    STATE.with(|state| {
        let seed = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(seed);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// A number below `bound`; 0 if `bound` is 0.
pub(crate) fn below(bound: usize) -> usize {
    // Multiplying the upper half avoids a division; the bias is far below what balancing sees.
    let high = next() >> 32;
    usize::try_from((high * (bound as u64)) >> 32).unwrap_or(0)
}
