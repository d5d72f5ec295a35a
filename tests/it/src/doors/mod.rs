//! One mesh, two doors: an intercepted request and `InvokeService` meet the same routes, faults,
//! retries and outliers, and leave the same traces.

pub mod backend;
mod calls;
mod facts;
mod mesh;

use calls::{Answers, Door};
use mesh::{Mesh, Rules};

const CALLS: usize = 10_000;

/// Six standard deviations: a correct build leaves them once in 500 million draws, so a run with a
/// hundred comparisons fails by chance less than once in a million runs, and a split that is wrong
/// by three points of a hundred is always seen.
const DEVIATIONS: f64 = 6.0;

/// Whether `found` of `of` draws may come from a chance of `chance`.
fn assert_share(what: &str, found: usize, of: usize, chance: f64) {
    let expected = chance * of as f64;
    let bound = DEVIATIONS * (of as f64 * chance * (1.0 - chance)).sqrt();
    assert!(
        (found as f64 - expected).abs() <= bound,
        "{what}: expected {expected:.0} ± {bound:.0} of {of}, got {found}"
    );
}

/// What one door's calls came to.
struct Outcome {
    mesh: Mesh,
    answers: Answers,
    counters: std::collections::BTreeMap<String, u64>,
    lines: std::collections::BTreeSet<String>,
}

async fn through(door: Door, rules: Rules, count: usize) -> Outcome {
    let mesh = Mesh::start(rules).await;
    let answers = calls::make(door, &mesh, count).await;
    assert_eq!(answers.values().sum::<usize>(), count, "{door:?}");
    let log = facts::log(&mesh, count).await;
    assert_eq!(log.len(), count, "{door:?}: one line a call");
    Outcome {
        counters: facts::counters(&mesh).await,
        lines: facts::kinds(&log),
        answers,
        mesh,
    }
}

fn assert_answers(door: Door, rules: Rules, outcome: &Outcome, count: usize) {
    let name = |what: &str| format!("{door:?}: {what}");
    let of = |prefix: &str| -> usize {
        let found = outcome.answers.iter();
        found
            .filter(|(a, _)| a.starts_with(prefix))
            .map(|(_, n)| n)
            .sum()
    };
    let aborted = of("418");
    assert_share(
        &name("aborts"),
        aborted,
        count,
        f64::from(rules.aborted) / 100.0,
    );
    let (first, second) = (of("v1"), of("v2"));
    // Every 503 was retried until another endpoint, or the same one, was well.
    assert_eq!(
        aborted + first + second,
        count,
        "{door:?}: {:?}",
        outcome.answers
    );
    let passed = count - aborted;
    assert_share(
        &name("second version"),
        second,
        passed,
        f64::from(rules.second) / 100.0,
    );
}

/// 80/20, one in ten aborted, 503s retried, the endpoint that always fails ejected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_doors_meet_the_same_rules() {
    let rules = Rules {
        second: 20,
        aborted: 10,
    };
    let doors = [Door::Intercepted, Door::Invoked];
    let mut outcomes = Vec::new();
    for door in doors {
        let outcome = through(door, rules, CALLS).await;
        assert_answers(door, rules, &outcome, CALLS);
        let counters = &outcome.counters;
        assert_eq!(
            counters["cluster.v1.outlier_detection.ejections_enforced_total"],
            1
        );
        // Five failures eject; the other callers may have been on their way to it.
        let sick = outcome.mesh.sick.served();
        assert!((5..5 + 8).contains(&sick), "{door:?}: {sick} calls to it");
        assert!(counters["cluster.v1.upstream_rq_retry_success"] > 500);
        outcomes.push(outcome);
    }
    let [intercepted, invoked] = &outcomes[..] else {
        unreachable!("two doors")
    };
    assert_eq!(intercepted.lines, invoked.lines, "log lines");
    let names = |outcome: &Outcome| outcome.counters.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(intercepted), names(invoked), "metrics");
    for (name, one) in &intercepted.counters {
        let other = invoked.counters[name];
        // Each is a sum of CALLS draws at most: the difference of two such has at most this.
        let most = (*one.max(&other)).min(CALLS as u64) as f64;
        let chance = (most / CALLS as f64).min(0.5);
        let bound = 16.0 + DEVIATIONS * (2.0 * CALLS as f64 * chance * (1.0 - chance)).sqrt();
        let apart = one.abs_diff(other) as f64;
        assert!(
            apart <= bound,
            "{name}: {one} and {other}, allowed {bound:.0}"
        );
    }
}

/// Nothing but the bootstrap is another: 50/50 and no fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_bootstrap_changes_both_doors() {
    let rules = Rules {
        second: 50,
        aborted: 0,
    };
    for door in [Door::Intercepted, Door::Invoked] {
        let outcome = through(door, rules, CALLS / 5).await;
        assert_answers(door, rules, &outcome, CALLS / 5);
        assert!(!outcome.lines.iter().any(|line| line.contains("418")));
    }
}
