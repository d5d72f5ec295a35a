//! What `Connection` may name: fields that go, fields that must not, and how many.

use crate::oracle::{Case, bootstrap, check, listener, raw};

/// Fields of a request, which is refused by some and passed on without what they name by others.
const FIELDS: &[&str] = &[
    "Connection: x-a\r\nx-a: 1\r\nx-a: 2",
    "Connection: X-A, x-b\r\nx-a: 1\r\nx-b: 2\r\nx-c: 3",
    "Connection: x-a,,,,,,,,,,,,x-b\r\nx-a: 1\r\nx-b: 2",
    "Connection: x-a\r\nConnection: x-b\r\nx-a: 1\r\nx-b: 2",
    "Connection: connection",
    "Connection: a:b",
    "Connection: upgrade",
    "Connection: keep-alive, x-a\r\nx-a: 1",
    "Connection: cookie, via, user-agent\r\ncookie: a=b\r\nvia: a\r\nuser-agent: a",
    "Connection: x-request-id\r\nx-request-id: 1",
    "Connection: x-envoy-retry-on\r\nx-envoy-retry-on: 5xx",
    "Connection: te\r\nTE: gzip",
    "Connection: te\r\nTE: gzip, trailers",
    "Connection: content-length\r\nContent-Length: 0",
    "Connection: host",
    "Connection: Host, x-a\r\nx-a: 1",
    "Connection: x-forwarded-for\r\nX-Forwarded-For: 1.2.3.4",
    "Connection: X-FORWARDED-FOR",
    "Connection: close, x-forwarded-host",
    "Connection: keep-alive\r\nConnection: x-forwarded-proto",
    "Connection: :path",
    "Connection: x-a, :authority",
    "Connection: :nothing",
];

fn cases() -> Vec<Case> {
    let at = |name: &str, fields: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: any.test\r\n{fields}\r\n\r\n");
        raw(name, request)
    };
    let mut all: Vec<_> = FIELDS.iter().map(|fields| at(fields, fields)).collect();
    for count in [9, 10, 1000] {
        let names = vec!["x-a"; count].join(",");
        let name = format!("{count} names");
        all.push(at(&name, &format!("Connection: {names}")));
        let names = vec!["close"; count].join(",");
        let name = format!("{count} times close");
        all.push(at(&name, &format!("Connection: {names}")));
        let names = vec!["x"; count - 5].join(",");
        let fields = format!("Connection: a,b,c,d,e\r\nConnection: {names}");
        all.push(at(&format!("{count} names in two fields"), &fields));
    }
    all.push(at("blanks count too", "Connection: a, , , , , , , , , ,"));
    for length in [255, 256] {
        let te = "a".repeat(length);
        let named = format!("Connection: te\r\nTE: {te}");
        all.push(at(&format!("te of {length} bytes, named"), &named));
        all.push(at(&format!("te of {length} bytes"), &format!("TE: {te}")));
    }
    all
}

#[tokio::test]
async fn connection() {
    let routes = "- {match: {prefix: /}, route: {cluster: up}}";
    let edge = "use_remote_address: true";
    let bootstrap = bootstrap()
        .listener(listener("main").route_list(routes))
        .listener(listener("edge").hcm(edge).route_list(routes));
    let on_edge = cases().into_iter().map(|case| {
        let name = format!("edge: {}", case.name);
        Case { name, ..case }.on("edge")
    });
    check(
        "connection",
        bootstrap,
        cases().into_iter().chain(on_edge).collect(),
    )
    .await;
}
