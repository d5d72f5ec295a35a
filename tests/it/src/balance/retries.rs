//! How many requests may be on their second attempt at once.

use tandem_harness::client::h1;
use tandem_harness::wait;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::gate::Gate;

/// Under `limits`, with `held` requests under way, makes calls fail one by one and keeps their
/// second attempts, until one gets none: the number of those that got one.
async fn allowed(limits: &str, held: usize) -> usize {
    let gate = Gate::start().await;
    let fields = format!("circuit_breakers: {{ thresholds: [{{ {limits} }}] }}");
    let cluster = Cluster::start(&fields, &[(gate.port, 1)]).await;
    let call = |path: &'static str| -> JoinHandle<u16> {
        let port = cluster.port;
        tokio::spawn(async move { h1::get(port, path).await.unwrap().0 })
    };
    let mut kept: Vec<_> = (0..held).map(|_| call("/held")).collect();
    gate.until_kept(held).await;
    // More than any limit of these tests.
    for retries in 0..20 {
        let attempt = call("/retried");
        let settled = || attempt.is_finished() || gate.kept() > held + retries;
        assert!(wait::until(wait::PATIENCE, settled).await);
        if !attempt.is_finished() {
            kept.push(attempt);
            continue;
        }
        assert_eq!(
            attempt.await.unwrap(),
            503,
            "the answer that was not retried"
        );
        assert_eq!(cluster.stat("upstream_rq_retry").await, retries as u64);
        cluster.until_stat("upstream_rq_retry_overflow", 1).await;
        gate.open();
        for call in kept {
            assert_eq!(call.await.unwrap(), 200);
        }
        cluster
            .until_stat("upstream_rq_retry_success", retries as u64)
            .await;
        // What was taken was given back.
        assert_eq!(call("/retried").await.unwrap(), 200);
        return retries;
    }
    panic!("no limit was met");
}

#[tokio::test]
async fn max_retries_are_allowed_at_once() {
    assert_eq!(allowed("max_retries: 2", 0).await, 2);
    assert_eq!(allowed("max_retries: 5", 10).await, 5);
}

/// Three, as Envoy's.
#[tokio::test]
async fn without_limits_the_default_holds() {
    assert_eq!(allowed("", 0).await, 3);
}

/// With little under way the least number holds; a quarter of what is under way beyond that, here
/// of ten requests and of the retries themselves. The number of retries is not asked then.
#[tokio::test]
async fn a_retry_budget_follows_what_is_under_way() {
    let budget =
        "max_retries: 1, retry_budget: { budget_percent: { value: 25 }, min_retry_concurrency: 2 }";
    assert_eq!(allowed(budget, 0).await, 2);
    assert_eq!(allowed(budget, 10).await, 4);
}

/// A retry chooses again while it meets a host that it has tried: with two that fail and one that
/// does not, two retries are enough.
#[tokio::test]
async fn retries_avoid_hosts_that_were_tried() {
    let backends = super::backends(1, 2).await;
    let endpoints: Vec<_> = backends.iter().map(|backend| (backend.port, 1)).collect();
    let cluster = Cluster::start("lb_policy: RANDOM", &endpoints).await;
    for _ in 0..100 {
        assert_eq!(h1::get(cluster.port, "/avoiding").await.unwrap().0, 200);
    }
    assert!(cluster.stat("upstream_rq_retry").await > 0);
}
