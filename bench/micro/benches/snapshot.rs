//! Reading the configuration snapshot, at rest and while it is being replaced, and replacing it.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tandem_core::live::Live;

fn snapshot(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    let live = Live::new(vec![0_u64; 64]);
    group.bench_function("load", |bench| bench.iter(|| black_box(live.load().len())));
    group.bench_function("get", |bench| bench.iter(|| black_box(live.get().len())));
    group.bench_function("publish", |bench| bench.iter(|| live.publish(vec![0; 64])));

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A control plane that pushes a thousand times a second, which none does.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                live.publish(vec![0; 64]);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        group.bench_function("load while it is replaced", |bench| {
            bench.iter(|| black_box(live.load().len()));
        });
        stop.store(true, Ordering::Relaxed);
    });
    group.finish();
}

criterion_group!(benches, snapshot);
criterion_main!(benches);
