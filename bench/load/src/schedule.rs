//! When requests are due: a Poisson process from a fixed seed, the same for every target.

use std::time::Duration;

/// The instants, from the start, at which requests are due; ends after `length`.
pub(crate) struct Schedule {
    random: SplitMix64,
    mean: f64,
    now: f64,
    end: f64,
}

impl Schedule {
    /// `rate` requests a second on average, for `length`.
    pub(crate) fn new(rate: f64, length: Duration, seed: u64) -> Self {
        Self {
            random: SplitMix64(seed),
            mean: 1.0 / rate,
            now: 0.0,
            end: length.as_secs_f64(),
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // The gaps of a Poisson process are exponentially distributed.
        self.now -= self.mean * (1.0 - self.random.unit()).ln();
        (self.now < self.end).then(|| Duration::from_secs_f64(self.now))
    }
}

/// A small generator with a fixed sequence, so that a run can be repeated.
struct SplitMix64(u64);

impl SplitMix64 {
    /// Evenly distributed in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;
