//! The fault filter, gRPC's local replies, and what happens when too much is asked.

use crate::oracle::bootstrap::indent;
use crate::oracle::{Case, bootstrap, check, get, grpc, listener, post};

fn fault(fields: &str) -> String {
    format!(
        "- name: envoy.filters.http.fault\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault\n{}",
        indent(fields, 4)
    )
}

const LISTENERS: &[(&str, &str)] = &[
    (
        "main",
        "abort: {http_status: 503, percentage: {numerator: 100}}",
    ),
    (
        "never",
        "abort: {http_status: 503, percentage: {numerator: 0}}",
    ),
    (
        "grpc-abort",
        "abort: {grpc_status: 14, percentage: {numerator: 100}}",
    ),
    (
        "delay",
        "delay: {fixed_delay: 0.15s, percentage: {numerator: 100}}",
    ),
    (
        "both",
        "delay: {fixed_delay: 0.1s, percentage: {numerator: 100}}\nabort: {http_status: 429, percentage: {numerator: 1000000, denominator: MILLION}}",
    ),
    (
        "by-header",
        "abort: {header_abort: {}, percentage: {numerator: 100}}",
    ),
    (
        "delay-by-header",
        "delay: {header_delay: {}, percentage: {numerator: 100}}",
    ),
    (
        "matched",
        "abort: {http_status: 418, percentage: {numerator: 100}}\nheaders: [{name: x-fault, string_match: {exact: please}}]",
    ),
    (
        "upstream",
        "abort: {http_status: 500, percentage: {numerator: 100}}\nupstream_cluster: up2",
    ),
];

const ROUTES: &str = r#"
- {match: {prefix: /other}, route: {cluster: up2}}
- match: {prefix: /own}
  route: {cluster: up}
  typed_per_filter_config:
    envoy.filters.http.fault:
      "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
      abort: {http_status: 404, percentage: {numerator: 100}}
- {match: {prefix: /}, route: {cluster: up, retry_policy: {retry_on: 5xx, num_retries: 2}}}
"#;

fn fault_cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (listener, _) in LISTENERS {
        for path in ["/x", "/own", "/other"] {
            all.push(get(&format!("{listener}: {path}"), "any.test", path).on(listener));
        }
        all.push(grpc(&format!("{listener}: gRPC"), "any.test", "/s/m").on(listener));
        all.push(
            post(&format!("{listener}: POST"), "any.test", "/x", b"body")
                .on(listener)
                .h1(),
        );
    }
    let at = |name: &str, on: &'static str| get(name, "any.test", "/x").on(on);
    all.extend([
        at("a matching header", "matched").h("x-fault", "please"),
        at("abort by header", "by-header").h("x-envoy-fault-abort-request", "451"),
        at("abort by header, too low", "by-header").h("x-envoy-fault-abort-request", "99"),
        at("abort by header, no number", "by-header").h("x-envoy-fault-abort-request", "x"),
        at("abort by header, at nought percent", "by-header")
            .h("x-envoy-fault-abort-request", "451")
            .h("x-envoy-fault-abort-request-percentage", "0"),
        at("abort by header, gRPC", "by-header").h("x-envoy-fault-abort-grpc-request", "5"),
        at("delay by header", "delay-by-header")
            .h("x-envoy-fault-delay-request", "150")
            .took(120..=2500),
        at("delay by header, no number", "delay-by-header")
            .h("x-envoy-fault-delay-request", "3000x")
            .took(0..=1400),
        at("the delay takes its time", "delay").took(120..=2500),
    ]);
    all
}

#[tokio::test]
async fn faults() {
    let mut bootstrap = bootstrap();
    for (name, fields) in LISTENERS {
        bootstrap = bootstrap.listener(listener(name).filters(&fault(fields)).route_list(ROUTES));
    }
    check("faults", bootstrap, fault_cases()).await;
}

const LIMITED: &str = r#"
- {match: {prefix: /dead}, route: {cluster: dead}}
- {match: {prefix: /empty}, route: {cluster: empty}}
- {match: {prefix: /unknown}, route: {cluster_header: x-none}}
- {match: {prefix: /requests}, route: {cluster: requests}}
- {match: {prefix: /pending}, route: {cluster: pending}}
- {match: {prefix: /connections}, route: {cluster: connections}}
- {match: {prefix: /short}, route: {cluster: up_h2, timeout: 0.15s}}
- {match: {prefix: /}, route: {cluster: up_h2}}
"#;

fn limited_cases() -> Vec<Case> {
    let mut all = Vec::new();
    for path in [
        "/dead",
        "/empty",
        "/unknown",
        "/requests",
        "/pending",
        "/connections",
    ] {
        all.push(get(&format!("overflow {path}"), "any.test", path));
        all.push(grpc(&format!("overflow {path}, gRPC"), "any.test", path).racy());
    }
    let call = |name: &str, script: &str| grpc(name, "any.test", "/s/m").script(script);
    all.extend([
        call("gRPC status in trailers", "200 text=x header=content-type:application/grpc trailer=grpc-status:0 trailer=grpc-message:fine"),
        call("gRPC trailers only", "200 nobody header=content-type:application/grpc header=grpc-status:5 header=grpc-message:gone"),
        call("gRPC and a plain 503", "503 text=no"),
        call("gRPC and a plain 404", "404 text=no"),
        call("gRPC and a plain 401", "401 text=no"),
        call("gRPC reset at once", "200 break=at-once"),
        call("gRPC reset before the answer", "200 break=before"),
        call("gRPC reset after the head", "200 header=content-type:application/grpc break=head"),
        call("gRPC reset in the body", "200 body=5000 header=content-type:application/grpc break=mid"),
        call("gRPC without a status", "200 text=x header=content-type:application/grpc"),
        grpc("gRPC too late", "any.test", "/short").script("200 delay=500"),
        grpc("gRPC without a host", "nobody.test", "/short").on("nowhere"),
        grpc("gRPC over HTTP/1.1", "any.test", "/dead").h1(),
    ]);
    all
}

#[tokio::test]
async fn overload() {
    let limit = |field: &str| format!("circuit_breakers: {{thresholds: [{{{field}: 0}}]}}");
    let bootstrap = bootstrap()
        .cluster("requests", "up", &limit("max_requests"))
        .cluster("pending", "up", &limit("max_pending_requests"))
        .cluster("connections", "up", &limit("max_connections"))
        .listener(
            listener("main")
                .log("grpc: \"%GRPC_STATUS%\"")
                .route_list(LIMITED),
        )
        .listener(
            listener("nowhere")
                .routes("virtual_hosts: [{name: one, domains: [one.test], routes: []}]"),
        );
    check("overload", bootstrap, limited_cases()).await;
}
