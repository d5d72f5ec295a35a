//! A request through a chain of erased filters: what the seams between them cost.

use std::task::{Context, Poll};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use tandem_bench_micro::request;
use tandem_core::{Error, HttpService, Request, Response};
use tower::{Service, service_fn};

/// A filter that only passes on, so that nothing but the seam is measured.
#[derive(Clone)]
struct Pass(HttpService);

impl Service<Request> for Pass {
    type Response = Response;
    type Error = Error;
    type Future = <HttpService as Service<Request>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.call(request)
    }
}

async fn answer(_: Request) -> Result<Response, Error> {
    Ok(Response::default())
}

fn chain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter chain");
    for filters in [0, 1, 7, 20] {
        let end = HttpService::new(service_fn(answer));
        let chain = (0..filters).fold(end, |inner, _| HttpService::new(Pass(inner)));
        group.bench_function(BenchmarkId::from_parameter(filters), |bench| {
            bench.iter_batched(
                || request("shop.example", "/carts/17"),
                |request| chain.dispatch(request).now_or_never(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, chain);
criterion_main!(benches);
