//! How large and how many header fields may be.

use crate::oracle::{Case, bootstrap, check, get, listener, raw};

const ROUTES: &str = "
- {match: {prefix: /h2}, route: {cluster: up_h2}}
- {match: {prefix: /}, route: {cluster: up}}
";

fn headers(count: usize, size: usize) -> String {
    (0..count)
        .map(|number| format!("x-{number}: {}\r\n", "v".repeat(size)))
        .collect()
}

fn request(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: any.test\r\n{fields}\r\n")
}

fn cases() -> Vec<Case> {
    let sized = |listener: &'static str, name: &str, fields: String| {
        raw(&format!("{listener}: {name}"), request(&fields)).on(listener)
    };
    let mut all = vec![
        sized("main", "50 KB of fields", headers(50, 1000)),
        sized("main", "61 KB of fields", headers(61, 1000)),
        sized("main", "90 fields", headers(90, 1)),
        sized("main", "98 fields", headers(98, 1)),
        sized("main", "101 fields", headers(101, 1)),
        sized("main", "one field of 30 KB", headers(1, 30_000)),
        sized("main", "one field of 58 KB", headers(1, 58_000)),
        sized("main", "one field of 70 KB", headers(1, 70_000)),
        sized("small", "500 bytes", headers(1, 500)),
        sized("small", "1100 bytes", headers(1, 1100)),
        sized("small", "3000 bytes", headers(3, 1000)),
        sized("few", "5 fields", headers(5, 1)),
        sized("few", "8 fields", headers(8, 1)),
        sized("few", "12 fields", headers(12, 1)),
        sized("large", "90 KB", headers(90, 1000)),
        sized("large", "100 KB", headers(100, 1000)),
        raw("a path of 30 KB", format!("GET /{} HTTP/1.1\r\nHost: any.test\r\n\r\n", "p".repeat(30_000))),
        raw("a path of 70 KB", format!("GET /{} HTTP/1.1\r\nHost: any.test\r\n\r\n", "p".repeat(70_000))),
        raw("a method of 70 KB", format!("{} / HTTP/1.1\r\nHost: any.test\r\n\r\n", "G".repeat(70_000))),
        raw("a field without an end", format!("GET / HTTP/1.1\r\nHost: any.test\r\nx: {}", "v".repeat(70_000))),
        raw("fields without an end", format!("GET / HTTP/1.1\r\nHost: any.test\r\n{}", headers(300, 10))),
        raw("large trailers", format!("POST / HTTP/1.1\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n", headers(70, 1000))).racy(),
        raw("many trailers", format!("POST / HTTP/1.1\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n", headers(150, 1))).racy(),
    ];
    let mut over_h2 = |listener: &'static str, name: &str, count: usize, size: usize| {
        let mut case = get(&format!("{listener}: {name}"), "any.test", "/")
            .on(listener)
            .h2();
        for number in 0..count {
            case = case.h(&format!("x-{number}"), &"v".repeat(size));
        }
        all.push(case);
    };
    over_h2("main", "50 KB of fields", 50, 1000);
    over_h2("main", "90 fields", 90, 1);
    over_h2("main", "120 fields", 120, 1);
    over_h2("few", "4 fields", 4, 1);
    over_h2("few", "12 fields", 12, 1);
    over_h2("small", "500 bytes", 1, 500);
    // What the upstream sends is limited too.
    let many = |count: usize| {
        (0..count)
            .map(|number| format!(" header=x-{number}:1"))
            .collect::<String>()
    };
    for (version, path) in [("HTTP/1", "/"), ("HTTP/2", "/h2")] {
        for count in [90, 97, 98, 99, 100, 101, 110] {
            let name = format!("{count} fields of an {version} upstream");
            all.push(get(&name, "any.test", path).script(&format!("200{}", many(count))));
        }
    }
    all
}

#[tokio::test]
async fn limits() {
    let with = |name, hcm: &str| listener(name).hcm(hcm).route_list(ROUTES);
    let bootstrap = bootstrap()
        .listener(with("main", ""))
        .listener(with("small", "max_request_headers_kb: 1"))
        .listener(with(
            "large",
            "max_request_headers_kb: 96\ncommon_http_protocol_options: {max_headers_count: 200}",
        ))
        .listener(with(
            "few",
            "common_http_protocol_options: {max_headers_count: 10}",
        ));
    check("limits", bootstrap, cases()).await;
}
