//! Which requests an access log with a filter has a line for.

use crate::oracle::{Bootstrap, Case, bootstrap, check, get, grpc, listener, post, raw};

const ROUTES: &str = r#"
- {match: {prefix: /h2}, route: {cluster: up_h2}}
- {match: {prefix: /dead}, route: {cluster: dead}}
- {match: {prefix: /empty}, route: {cluster: empty}}
- {match: {prefix: /short}, route: {cluster: up, timeout: 0.05s}}
- {match: {prefix: /retried}, route: {cluster: up, retry_policy: {retry_on: 5xx, num_retries: 1}}}
- match: {prefix: /edited}
  route: {cluster: up, prefix_rewrite: /new, host_rewrite_literal: new.test}
  request_headers_to_add: [{header: {key: x-tier, value: gold}}]
  request_headers_to_remove: [x-drop]
- {match: {prefix: /teapot}, direct_response: {status: 403, body: {inline_string: tea}}}
- {match: {prefix: /ok}, route: {cluster: up}}
"#;

/// Names, which are the lines, and filters.
const FILTERS: &[(&str, &str)] = &[
    (
        "status-404",
        "{status_code_filter: {comparison: {op: EQ, value: {default_value: 404, runtime_key: a}}}}",
    ),
    (
        "status-ge-500",
        "{status_code_filter: {comparison: {op: GE, value: {default_value: 500, runtime_key: a}}}}",
    ),
    (
        "status-le-200",
        "{status_code_filter: {comparison: {op: LE, value: {default_value: 200, runtime_key: a}}}}",
    ),
    (
        "status-ne-200",
        "{status_code_filter: {comparison: {op: NE, value: {default_value: 200, runtime_key: a}}}}",
    ),
    (
        "status-0",
        "{status_code_filter: {comparison: {value: {default_value: 0, runtime_key: a}}}}",
    ),
    (
        "slow",
        "{duration_filter: {comparison: {op: GE, value: {default_value: 150, runtime_key: a}}}}",
    ),
    (
        "fast",
        "{duration_filter: {comparison: {op: LE, value: {default_value: 149, runtime_key: a}}}}",
    ),
    ("no-health-check", "{not_health_check_filter: {}}"),
    (
        "tier",
        "{header_filter: {header: {name: x-tier, string_match: {exact: gold}}}}",
    ),
    (
        "not-tier",
        "{header_filter: {header: {name: x-tier, string_match: {exact: gold}, invert_match: true}}}",
    ),
    (
        "drop",
        "{header_filter: {header: {name: x-drop, present_match: true}}}",
    ),
    (
        "no-drop",
        "{header_filter: {header: {name: x-drop, present_match: false}}}",
    ),
    (
        "count",
        "{header_filter: {header: {name: x-count, range_match: {start: 10, end: 20}}}}",
    ),
    (
        "post",
        "{header_filter: {header: {name: \":method\", string_match: {exact: POST}}}}",
    ),
    (
        "new-path",
        "{header_filter: {header: {name: \":path\", string_match: {prefix: /new}}}}",
    ),
    (
        "new-host",
        "{header_filter: {header: {name: \":authority\", string_match: {exact: new.test}}}}",
    ),
    (
        "http",
        "{header_filter: {header: {name: \":scheme\", string_match: {exact: http}}}}",
    ),
    ("any-flag", "{response_flag_filter: {}}"),
    ("uf-uh", "{response_flag_filter: {flags: [UF, UH]}}"),
    ("ut", "{response_flag_filter: {flags: [UT]}}"),
    ("urx", "{response_flag_filter: {flags: [URX, LH]}}"),
    ("dc", "{response_flag_filter: {flags: [DC, DR]}}"),
    ("grpc-ok", "{grpc_status_filter: {statuses: [OK]}}"),
    (
        "grpc-not-ok",
        "{grpc_status_filter: {statuses: [OK], exclude: true}}",
    ),
    (
        "grpc-some",
        "{grpc_status_filter: {statuses: [UNKNOWN, UNIMPLEMENTED, UNAVAILABLE]}}",
    ),
    (
        "all",
        "{runtime_filter: {runtime_key: a, percent_sampled: {numerator: 100}, use_independent_randomness: true}}",
    ),
    ("none", "{runtime_filter: {runtime_key: a}}"),
    (
        "and",
        "{and_filter: {filters: [{header_filter: {header: {name: x-tier}}}, {status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: a}}}}]}}",
    ),
    (
        "or",
        "{or_filter: {filters: [{header_filter: {header: {name: x-tier}}}, {status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: a}}}}]}}",
    ),
    (
        "nested",
        "{or_filter: {filters: [{response_flag_filter: {flags: [NR]}}, {and_filter: {filters: [{not_health_check_filter: {}}, {grpc_status_filter: {statuses: [CANCELED]}}]}}]}}",
    ),
    ("end", "{log_type_filter: {types: [DownstreamEnd]}}"),
    (
        "not-end",
        "{log_type_filter: {types: [DownstreamEnd], exclude: true}}",
    ),
    ("start", "{log_type_filter: {types: [DownstreamStart]}}"),
];

/// What has no id is taken by chance, so these are asked for what has one only.
const SHARES: &[(&str, &str)] = &[
    (
        "half",
        "{runtime_filter: {runtime_key: a, percent_sampled: {numerator: 50}}}",
    ),
    (
        "tenth",
        "{runtime_filter: {runtime_key: a, percent_sampled: {numerator: 1000, denominator: TEN_THOUSAND}}}",
    ),
];

fn cases() -> Vec<Case> {
    let at = |name: &str, path: &str| {
        get(name, "any.test", path).h("x-request-id", "00000046-1111-4111-8111-111111111111")
    };
    let call = |name: &str| {
        grpc(name, "any.test", "/h2").h("x-request-id", "00000005-1111-4111-8111-111111111111")
    };
    let answer = "200 nobody header=content-type:application/grpc";
    let mut all = vec![
        at("200", "/ok"),
        at("404 of the upstream", "/ok").script("404 text=no"),
        at("503 of the upstream", "/ok").script("503 text=no"),
        at("no route", "/nowhere"),
        at("a direct response", "/teapot"),
        at("no connection", "/dead"),
        at("no endpoint", "/empty"),
        at("too late", "/short").script("200 delay=400"),
        at("retries used up", "/retried").script("503"),
        at("slow", "/ok").script("200 delay=200"),
        at("fast", "/ok").script("200 delay=20"),
        at("no client any more", "/ok")
            .script("200 delay=300")
            .cancel(60),
        at("edited", "/edited").h("x-drop", "1"),
        at("not edited", "/ok")
            .h("x-drop", "1")
            .h("x-tier", "silver"),
        at("edited and failed", "/edited").script("500"),
        post("a POST", "any.test", "/ok", b"x")
            .h("x-request-id", "00000046-1111-4111-8111-111111111111"),
        raw("no request", "nonsense\r\n\r\n"),
        raw("no host", "GET / HTTP/1.1\r\n\r\n"),
    ];
    for tier in ["gold", "Gold", "", "gold,gold"] {
        all.push(at(&format!("tier {tier:?}"), "/ok").h("x-tier", tier));
    }
    all.push(
        at("two tiers", "/ok")
            .h("x-tier", "silver")
            .h("x-tier", "gold"),
    );
    for count in ["9", "10", "19", "20", "ten", "-1", ""] {
        all.push(at(&format!("count {count:?}"), "/ok").h("x-count", count));
    }
    for status in ["0", "1", "2", "5", "12", "14", "99", "x"] {
        all.extend([
            call(&format!("gRPC, {status} in trailers")).script(&format!(
                "200 header=content-type:application/grpc trailer=grpc-status:{status}"
            )),
            call(&format!("gRPC, {status} at once"))
                .script(&format!("{answer} header=grpc-status:{status}")),
            at(&format!("no gRPC, {status} all the same"), "/ok")
                .script(&format!("200 header=grpc-status:{status}")),
        ]);
    }
    for status in [400, 401, 403, 404, 429, 500, 503] {
        all.push(call(&format!("gRPC, only {status}")).script(&format!("{status} text=no")));
    }
    all
}

fn with_ids() -> Vec<Case> {
    let mut all = Vec::new();
    for id in [
        "00000000-1111-4111-8111-111111111111",
        "00000031-1111-4111-8111-111111111111",
        "00000032-1111-4111-8111-111111111111",
        "000003e7-1111-4111-8111-111111111111",
        "000003e8-1111-4111-8111-111111111111",
        "00002710-1111-4111-8111-111111111111",
    ] {
        all.push(get(&format!("id {id}"), "any.test", "/ok").h("x-request-id", id));
    }
    all
}

fn logging(filters: &[(&str, &str)]) -> Bootstrap {
    let main = listener("main")
        .hcm("preserve_external_request_id: true")
        .route_list(ROUTES);
    let main = filters.iter().fold(main, |listener, (name, filter)| {
        listener.filtered_log(name, filter)
    });
    bootstrap().listener(main)
}

#[tokio::test]
async fn log_filters() {
    check("log_filters", logging(FILTERS), cases()).await;
}

#[tokio::test]
async fn log_shares() {
    check("log_shares", logging(SHARES), with_ids()).await;
}
