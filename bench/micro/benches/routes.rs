//! Finding a route among 10, 1,000 and 10,000: the time must not grow with their number.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method};
use tandem_bench_micro::{direct_response, route_table, virtual_host};
use tandem_model::matching::{RequestView, RouteTable};
use tandem_model::route::PathMatch;

const COUNTS: [usize; 3] = [10, 1_000, 10_000];

/// As many virtual hosts with one exact domain each; the last is asked for.
fn exact_hosts(count: usize) -> (RouteTable, String, String) {
    let hosts = (0..count).map(|number| {
        let routes = vec![direct_response(PathMatch::Prefix("/".into()))];
        virtual_host(&[&format!("service-{number}.shop.example")], routes)
    });
    (
        route_table(hosts.collect()),
        format!("service-{}.shop.example", count - 1),
        "/".into(),
    )
}

/// One virtual host with as many exact paths.
fn exact_paths(count: usize) -> (RouteTable, String, String) {
    one_host(count, |number| PathMatch::Exact(path(number)))
}

/// One virtual host with as many prefixes; the path has a segment behind the last of them.
fn prefixes(count: usize) -> (RouteTable, String, String) {
    let (table, host, path) = one_host(count, |number| PathMatch::Prefix(path(number)));
    (table, host, format!("{path}/items?page=2"))
}

fn one_host(count: usize, of: impl Fn(usize) -> PathMatch) -> (RouteTable, String, String) {
    let routes = (0..count)
        .map(|number| direct_response(of(number)))
        .collect();
    let table = route_table(vec![virtual_host(&["*"], routes)]);
    (
        table,
        "shop.example".into(),
        path(count - 1).as_ref().into(),
    )
}

/// All of one length, as generated paths are.
fn path(number: usize) -> Arc<str> {
    format!("/api/v1/resource-{number:05}").into()
}

fn routes(criterion: &mut Criterion) {
    type Make = fn(usize) -> (RouteTable, String, String);
    let shapes: [(&str, Make); 3] = [
        ("exact hosts", exact_hosts),
        ("exact paths", exact_paths),
        ("prefixes", prefixes),
    ];
    for (name, make) in shapes {
        let mut group = criterion.benchmark_group(format!("route among {name}"));
        for count in COUNTS {
            let (table, authority, path) = make(count);
            let headers = HeaderMap::new();
            let view = RequestView {
                method: &Method::GET,
                path_and_query: &path,
                authority: &authority,
                uri_scheme: None,
                encrypted: false,
                headers: &headers,
                is_grpc: false,
                random: 0,
            };
            let found = table.find(&view).and_then(|found| found.route);
            assert!(found.is_some(), "the benchmark's request must have a route");
            group.bench_function(BenchmarkId::from_parameter(count), |bench| {
                bench.iter(|| table.find(black_box(&view)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, routes);
criterion_main!(benches);
