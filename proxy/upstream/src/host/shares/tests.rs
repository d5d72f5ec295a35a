use super::*;

/// Of each priority of 100 hosts those that are healthy, those that are degraded, and the shares.
type Row<'a> = (&'a [usize], &'a [usize], &'a [u32], &'a [u32]);

fn table(rows: &[Row<'_>], panic_below: u32) {
    for (healthy, degraded, expected, expected_degraded) in rows {
        let counts: Vec<_> = (0..healthy.len())
            .map(|p| Counts {
                all: 100,
                healthy: healthy[p],
                degraded: degraded.get(p).copied().unwrap_or(0),
            })
            .collect();
        let shares = shares(&counts, 140, panic_below);
        let got: Vec<_> = shares.iter().map(|share| share.healthy).collect();
        assert_eq!(got, *expected, "healthy {healthy:?} degraded {degraded:?}");
        let got: Vec<_> = shares.iter().map(|share| share.degraded).collect();
        let mut expected = expected_degraded.to_vec();
        expected.resize(healthy.len(), 0);
        assert_eq!(got, expected, "healthy {healthy:?} degraded {degraded:?}");
    }
}

/// The tables of Envoy's documentation of priority levels.
#[test]
fn lower_priorities_take_what_higher_ones_cannot_bear() {
    table(
        &[
            (&[100, 100], &[], &[100, 0], &[]),
            (&[72, 100], &[], &[100, 0], &[]),
            (&[71, 100], &[], &[99, 1], &[]),
            (&[50, 100], &[], &[70, 30], &[]),
            (&[25, 100], &[], &[35, 65], &[]),
            (&[0, 100], &[], &[0, 100], &[]),
            (&[25, 25, 100], &[], &[35, 35, 30], &[]),
            (&[25, 0, 100], &[], &[35, 0, 65], &[]),
        ],
        0,
    );
}

/// With too little of everything the shares are scaled up; the rest of rounding goes to the
/// first that serves.
#[test]
fn scarce_availability_is_scaled_to_all_requests() {
    table(
        &[
            (&[25, 25], &[], &[50, 50], &[]),
            (&[5, 5, 5], &[], &[34, 33, 33], &[]),
            (&[0, 20, 0], &[], &[0, 100, 0], &[]),
        ],
        0,
    );
}

/// Degraded hosts take what no healthy host of any priority can bear.
#[test]
fn degraded_hosts_come_after_all_healthy_ones() {
    table(
        &[
            (&[100], &[0], &[100], &[0]),
            (&[25], &[75], &[35], &[65]),
            (&[0], &[100], &[0], &[100]),
            (&[25, 25], &[75, 75], &[35, 35], &[30, 0]),
            (&[0, 0], &[10, 0], &[0, 0], &[100, 0]),
        ],
        0,
    );
}

fn panics(healthy: &[usize], panic_below: u32) -> Vec<(u32, bool)> {
    let counts: Vec<_> = healthy
        .iter()
        .map(|healthy| Counts {
            all: 100,
            healthy: *healthy,
            degraded: 0,
        })
        .collect();
    shares(&counts, 140, panic_below)
        .iter()
        .map(|share| (share.healthy, share.panic))
        .collect()
}

/// The documented table of panic: as long as all together suffice nobody panics; then each that
/// is below the threshold; when all are, they share by number of hosts.
#[test]
fn priorities_panic_one_by_one() {
    assert_eq!(panics(&[72, 72], 50), [(100, false), (0, false)]);
    assert_eq!(panics(&[71, 71], 50), [(99, false), (1, false)]);
    assert_eq!(panics(&[50, 60], 50), [(70, false), (30, false)]);
    assert_eq!(panics(&[25, 100], 50), [(35, false), (65, false)]);
    assert_eq!(panics(&[25, 25], 50), [(50, true), (50, true)]);
    assert_eq!(panics(&[5, 65], 50), [(8, true), (92, false)]);
}

/// A threshold of 0 never panics, even with nobody left; one of 100 unless all are well.
#[test]
fn the_threshold_may_be_nothing_or_everything() {
    assert_eq!(panics(&[0, 0], 0), [(0, false), (0, false)]);
    assert_eq!(panics(&[10], 0), [(100, false)]);
    assert_eq!(panics(&[70], 100), [(100, true)]);
    assert_eq!(panics(&[72], 100), [(100, false)]);
}

/// In total panic the shares follow the numbers of hosts; a priority without hosts takes none.
#[test]
fn in_total_panic_hosts_share_by_number() {
    let counts = |all: usize| Counts {
        all,
        ..Counts::default()
    };
    let all = [counts(0), counts(1), counts(2)];
    let got: Vec<_> = shares(&all, 140, 50).iter().map(|s| s.healthy).collect();
    assert_eq!(got, [0, 34, 66]);
    assert_eq!(shares(&[], 140, 50), []);
}
