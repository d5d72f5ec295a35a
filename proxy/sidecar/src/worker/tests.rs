use std::sync::mpsc as threads;

use tandem_core::drain;
use tandem_core::filter::BuildFilter;
use tandem_core::stats::Registry;
use tandem_upstream::ClusterManager;

use super::*;

/// A worker that begins when it is let, and who lets it.
fn held(drains: &drain::Watch) -> (Worker, threads::Sender<()>) {
    let (begin, wait) = threads::channel();
    let control = tokio::runtime::Handle::current();
    let stats = Registry::default();
    let manager = ClusterManager::new(&[], &stats, &control);
    let deps = move |directory| {
        wait.recv().unwrap();
        Deps {
            clusters: manager.worker(),
            stats,
            filters: BuildFilter::new(|_, _, inner| inner),
            directory,
            routes: Default::default(),
            extensions: Default::default(),
            logs: Sinks::new(Duration::from_secs(1), 1),
            entries: Default::default(),
        }
    };
    let drain = Drain {
        sides: [drains.clone(), drains.clone()],
        time: Duration::ZERO,
    };
    (spawn(0, drain, deps).unwrap(), begin)
}

#[tokio::test]
async fn a_worker_has_caught_up_when_it_has_done_what_it_was_told() {
    let (signal, watch) = drain::channel();
    let (worker, begin) = held(&watch);
    let mut caught_up = Box::pin(worker.caught_up());
    // If it did not wait for the thread it would be here at once.
    let soon = tokio::time::timeout(Duration::from_millis(50), caught_up.as_mut());
    assert!(soon.await.is_err());
    begin.send(()).unwrap();
    caught_up.await;
    signal.set(Phase::Closing);
    worker.ended.await.unwrap();
}

#[tokio::test]
async fn nobody_waits_for_a_worker_that_is_gone() {
    let (signal, watch) = drain::channel();
    let (mut worker, begin) = held(&watch);
    begin.send(()).unwrap();
    signal.set(Phase::Closing);
    (&mut worker.ended).await.unwrap();
    worker.caught_up().await;
}
