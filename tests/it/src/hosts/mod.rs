//! Hosts as networks of their own, with a wire that loses packets or is cut: errors are bounded
//! and say what they are, others take over, and what was broken is used again when it works.

mod late;
mod pair;

use std::time::Duration;

use tandem_harness::wait;

use pair::{Answer, LONGEST, Pair, SLACK};

/// The timeouts of `/single`, further apart than a machine stands still.
const CONNECT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(4);

/// Asks, and checks the status and the time; flags are looked at later, as logs are written later.
fn ask(pair: &Pair, status: u16, within: Duration) -> Answer {
    let watched = pair.watched();
    let answer = pair.ask("/single");
    let stood_still = watched.disturbed().unwrap_or_default();
    assert_eq!(answer.status, status, "{answer:?}");
    let limit = within + SLACK + stood_still;
    assert!(answer.took < limit, "{answer:?}, limit {limit:?}");
    answer
}

async fn works_again(pair: &Pair, path: &str) {
    let again = wait::until_async(wait::PATIENCE, || async { pair.ask(path).status == 200 });
    assert!(again.await, "{path} does not recover");
}

/// A host that falls silent: what is on its way ends by its timeout, then connecting does. One that
/// resets: what is on its way is cut off, then connecting is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_host_is_told_as_it_is_lost() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let mut told = vec![(ask(&pair, 200, CONNECT), "-")];
    pair.trouble(&["out ip daddr 10.78.0.2 drop"]);
    told.push((ask(&pair, 504, TIMEOUT), "UT"));
    for _ in 0..3 {
        told.push((ask(&pair, 503, CONNECT), "UF"));
    }
    pair.heal();
    works_again(&pair, "/single").await;

    // Not an acknowledgement that is still due: its reset would end the connection before it is
    // asked.
    let asks = "tcp flags & (syn | psh) != 0x0";
    let reset = format!("out ip daddr 10.78.0.2 tcp dport 10443 {asks} reject with tcp reset");
    pair.trouble(&[&reset]);
    told.push((ask(&pair, 503, Duration::ZERO), "UC"));
    for _ in 0..3 {
        told.push((ask(&pair, 503, Duration::ZERO), "UF"));
    }
    pair.heal();
    works_again(&pair, "/single").await;
    for (answer, flags) in told {
        assert_eq!(pair.flags(&answer).await, flags, "{answer:?}");
    }
}

/// Every request is answered by the other host; the lost one is ejected, so that nobody waits for it
/// any more, and it serves again when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_host_is_ejected_and_returns() {
    const ACTIVE: &str = "cluster.pair.outlier_detection.ejections_active";
    let Some(pair) = Pair::start().await else {
        return;
    };
    for _ in 0..4 {
        assert_eq!(pair.ask("/pair").status, 200);
    }
    for drop in ["out ip daddr 10.78.0.2 drop", "in ip saddr 10.78.0.2 drop"] {
        pair.trouble(&[drop]);
        let mut asked = 0;
        while pair.stat(ACTIVE) == 0 {
            let answer = pair.ask("/pair");
            assert_eq!(
                (answer.status, &*answer.at),
                (200, "10.78.0.3"),
                "{answer:?}"
            );
            assert!(answer.took < LONGEST + SLACK, "{answer:?}");
            asked += 1;
            assert!(asked < 50, "never ejected");
        }
        let before = pair.tried("10.78.0.2");
        let answer = pair.ask("/pair");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(pair.tried("10.78.0.2"), before, "{answer:?}");
        pair.heal();
        let back = wait::until_async(wait::PATIENCE, || async {
            let answer = pair.ask("/pair");
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.at == "10.78.0.2"
        });
        assert!(back.await, "never used again");
    }
}

/// A wire that loses one packet of five, each way: no request hangs, most succeed, those that do not
/// say why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_packets_do_not_hold_up_requests_for_ever() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let lose = "ip protocol tcp meta oifname wire numgen random mod 100 < 20 drop";
    let lose_in = lose.replace("oifname", "iifname");
    pair.trouble(&[&format!("out {lose}"), &format!("in {lose_in}")]);
    let mut failed = Vec::new();
    for _ in 0..40 {
        let answer = pair.ask("/pair");
        assert!(answer.took < LONGEST + SLACK, "{answer:?}");
        if answer.status != 200 {
            failed.push(answer);
        }
    }
    for answer in &failed {
        let flags = pair.flags(answer).await;
        let known = |flag: &str| ["UT", "UF", "UC", "URX", "UH"].contains(&flag);
        assert!(flags.split(',').all(known), "{flags}: {answer:?}");
    }
    assert!(failed.len() <= 10, "{} of 40: {failed:?}", failed.len());
    pair.heal();
    works_again(&pair, "/pair").await;
    for _ in 0..5 {
        assert_eq!(pair.ask("/pair").status, 200);
    }
}
