//! Resources with a `ttl`.

use std::time::{Duration, Instant};

use crate::Lifetimes;

#[test]
fn a_resource_ends_unless_it_is_refreshed() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let ttl = Some(Duration::from_secs(10));
    let mut lifetimes = Lifetimes::default();
    for name in ["a", "b", "c", "d"] {
        lifetimes.set(name, ttl, start);
    }
    lifetimes.set("b", ttl, at(5));
    lifetimes.set("c", None, at(5));
    lifetimes.remove("d");
    assert_eq!(lifetimes.next_end(), Some(at(10)));
    assert!(lifetimes.expire(at(9)).is_empty());
    assert_eq!(lifetimes.expire(at(10)), ["a"]);
    assert_eq!(lifetimes.next_end(), Some(at(15)));
    assert_eq!(lifetimes.expire(at(99)), ["b"]);
    assert_eq!(lifetimes.next_end(), None);
}
