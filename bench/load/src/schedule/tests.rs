use std::time::Duration;

use super::Schedule;

/// A fixed rate would mean nothing if the schedule did not keep it.
#[test]
fn sends_as_many_as_the_rate_says() {
    let count = Schedule::new(12_000.0, Duration::from_secs(10), 1).count();
    assert!((118_500..121_500).contains(&count), "{count}");
}

/// Every target must meet the same bursts.
#[test]
fn the_same_seed_gives_the_same_instants() {
    let of = |seed| Schedule::new(100.0, Duration::from_secs(1), seed).collect::<Vec<_>>();
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}
