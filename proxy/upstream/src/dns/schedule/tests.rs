use tandem_model::cluster::FailureRefresh;

use super::*;

fn answer(ttl: u64) -> Answer {
    Answer {
        addresses: vec![[127, 0, 0, 1].into()],
        ttl: Duration::from_secs(ttl),
    }
}

/// The record's time to live counts only where it is asked for, and where there is one.
#[test]
fn the_time_to_live_counts_where_it_is_respected() {
    let seconds = Duration::from_secs;
    let mut dns = Dns::default();
    let mut schedule = Schedule::default();
    assert_eq!(schedule.after_success(&dns, &answer(60)), seconds(5));
    dns.respect_ttl = true;
    assert_eq!(schedule.after_success(&dns, &answer(60)), seconds(60));
    assert_eq!(schedule.after_success(&dns, &answer(0)), seconds(5));
    let empty = Answer {
        addresses: Vec::new(),
        ttl: seconds(60),
    };
    assert_eq!(schedule.after_success(&dns, &empty), seconds(5));
}

/// Jitter is added to what a success is followed by.
#[test]
fn jitter_is_added() {
    let dns = Dns {
        jitter: Duration::from_secs(2),
        ..Dns::default()
    };
    let waits: Vec<_> = (0..100)
        .map(|_| Schedule::default().after_success(&dns, &answer(1)))
        .collect();
    let range = Duration::from_secs(5)..Duration::from_secs(7);
    assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]));
}

/// Failures are retried within intervals that double, until a success.
#[test]
fn failures_back_off() {
    let mut dns = Dns::default();
    let mut schedule = Schedule::default();
    assert_eq!(schedule.after_failure(&dns), dns.refresh_rate);
    dns.failure_refresh_rate = Some(FailureRefresh {
        base: Duration::from_secs(1),
        max: Duration::from_secs(3),
    });
    for bound in [1, 2, 3, 3] {
        assert!(schedule.after_failure(&dns) < Duration::from_secs(bound));
    }
    assert_eq!(schedule.bound, Some(Duration::from_secs(6)));
    schedule.after_success(&dns, &answer(1));
    assert_eq!(schedule.bound, None);
}
