//! Retries: each condition of `retry_on`, who asks for them, and what is replayed.

use crate::oracle::{Case, bootstrap, check, get, grpc, listener, post, send};

const INTERNAL: &str = "internal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}, {address_prefix: '{{self}}', prefix_len: 32}, {address_prefix: 10.0.0.0, prefix_len: 8}]}\nuse_remote_address: true";

/// Conditions: each has a route of its name, two retries and short back-off.
const CONDITIONS: &[&str] = &[
    "5xx",
    "gateway-error",
    "reset",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "reset-before-request",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "http3-post-connect-failure",
];

/// What the upstream does first.
const FAILURES: &[(&str, &str)] = &[
    ("500", "500|200"),
    ("502", "502|200"),
    ("503", "503|200"),
    ("504", "504|200"),
    ("501", "501|200"),
    ("409", "409|200"),
    ("404", "404|200"),
    ("429", "429|200"),
    ("418", "418|200"),
    ("429 limited", "429 header=x-envoy-ratelimited:true|200"),
    ("503 overloaded", "503 header=x-envoy-overloaded:true|200"),
    ("200 with a header", "200 header=x-retry:1|200"),
    ("reset at once", "200 break=at-once|200"),
    ("reset before the answer", "200 break=before|200"),
    ("reset after the head", "200 break=head|200"),
    ("reset in the body", "200 body=4000 break=mid|200"),
];

fn routes() -> String {
    let back_off = "retry_back_off: {base_interval: 0.002s, max_interval: 0.004s}";
    let mut yaml = String::new();
    for condition in CONDITIONS {
        for (folder, cluster) in [("", "up"), ("h2/", "up_h2")] {
            yaml.push_str(&format!(
                "- {{match: {{path: /{folder}{condition}}}, route: {{cluster: {cluster}, retry_policy: {{retry_on: '{condition}', num_retries: 2, {back_off}, retriable_status_codes: [418], retriable_headers: [{{name: x-retry, present_match: true}}]}}}}}}\n"
            ));
        }
    }
    yaml.push_str(&format!(
        r#"
- {{match: {{path: /none}}, route: {{cluster: up}}}}
- {{match: {{path: /none-timeout}}, route: {{cluster: up, timeout: 0.3s}}}}
- {{match: {{path: /default-number}}, route: {{cluster: up, retry_policy: {{retry_on: 5xx, {back_off}}}}}}}
- {{match: {{path: /nought}}, route: {{cluster: up, retry_policy: {{retry_on: 5xx, num_retries: 0}}}}}}
- {{match: {{path: /dead}}, route: {{cluster: dead, retry_policy: {{retry_on: connect-failure, num_retries: 3, {back_off}}}}}}}
- {{match: {{path: /dead-5xx}}, route: {{cluster: dead, retry_policy: {{retry_on: 5xx, num_retries: 1, {back_off}}}}}}}
- {{match: {{path: /dead-gateway}}, route: {{cluster: dead, retry_policy: {{retry_on: gateway-error, num_retries: 1, {back_off}}}}}}}
- {{match: {{path: /dead-reset}}, route: {{cluster: dead, retry_policy: {{retry_on: reset, num_retries: 1, {back_off}}}}}}}
- {{match: {{path: /empty}}, route: {{cluster: empty, retry_policy: {{retry_on: 5xx, num_retries: 1, {back_off}}}}}}}
- {{match: {{path: /per-try}}, route: {{cluster: up, timeout: 5s, retry_policy: {{retry_on: 5xx, num_retries: 1, per_try_timeout: 0.15s, {back_off}}}}}}}
- {{match: {{path: /per-try-off}}, route: {{cluster: up, timeout: 5s, retry_policy: {{retry_on: retriable-4xx, num_retries: 1, per_try_timeout: 0.15s, {back_off}}}}}}}
- {{match: {{path: /global}}, route: {{cluster: up, timeout: 1s, retry_policy: {{retry_on: 5xx, num_retries: 5, {back_off}}}}}}}
- {{match: {{path: /only-get}}, route: {{cluster: up, retry_policy: {{retry_on: 5xx, num_retries: 2, {back_off}, retriable_request_headers: [{{name: ':method', string_match: {{exact: GET}}}}]}}}}}}
- {{match: {{path: /exact}}, route: {{cluster: up, retry_policy: {{retry_on: retriable-headers, {back_off}, retriable_headers: [{{name: x-retry-exact, string_match: {{exact: a}}}}]}}}}}}
- {{match: {{path: /asked}}, route: {{cluster: up, retry_policy: {{retry_on: 5xx, {back_off}, retriable_request_headers: [{{name: x-ask, string_match: {{exact: 'yes'}}}}]}}}}}}
- {{match: {{path: /limited}}, route: {{cluster: up, timeout: 0s, retry_policy: {{retry_on: retriable-status-codes, retriable_status_codes: [429], {back_off}, rate_limited_retry_back_off: {{reset_headers: [{{name: x-reset, format: UNIX_TIMESTAMP}}, {{name: Retry-After, format: SECONDS}}]}}}}}}}}
- {{match: {{path: /limited-shorter}}, route: {{cluster: up, retry_policy: {{retry_on: retriable-status-codes, retriable_status_codes: [429], {back_off}, rate_limited_retry_back_off: {{max_interval: 0.5s, reset_headers: [{{name: retry-after}}]}}}}}}}}
- {{match: {{path: /two}}, route: {{cluster: up, retry_policy: {{retry_on: 'retriable-4xx,gateway-error', num_retries: 2, {back_off}}}}}}}
"#
    ));
    yaml
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for condition in CONDITIONS {
        for (failure, script) in FAILURES {
            let name = format!("{condition}: {failure}");
            all.push(
                get(&name, "any.test", &format!("/{condition}"))
                    .script(script)
                    .h1(),
            );
            if failure.starts_with("reset") {
                all.push(
                    get(
                        &format!("{name}, over HTTP/2"),
                        "any.test",
                        &format!("/h2/{condition}"),
                    )
                    .script(script)
                    .h2(),
                );
            }
        }
    }
    for (path, script, took) in [
        ("/limited", "429 header=retry-after:1|200", 1000..=1900),
        ("/limited", "429 header=retry-after:soon|200", 0..=900),
        ("/limited", "429 header=retry-after:301|200", 0..=900),
        ("/limited", "429 header=x-reset:1|200", 0..=900),
        (
            "/limited",
            "429 header=x-reset:1 header=retry-after:1|200",
            1000..=1900,
        ),
        ("/limited", "429|200", 0..=900),
        ("/limited-shorter", "429 header=retry-after:1|200", 0..=900),
    ] {
        let case = get(&format!("{path}: {script}"), "any.test", path);
        all.push(case.script(script).took(took));
    }
    for again in ["x-retry-exact:a", "x-retry-exact:b"] {
        let script = format!("200 header=x-retry-exact:b header={again}|200");
        all.push(
            get(
                &format!("a header given twice, {again}"),
                "any.test",
                "/exact",
            )
            .script(&script),
        );
    }
    for second in ["yes", "no"] {
        let case = get(
            &format!("a header of requests twice, {second}"),
            "any.test",
            "/asked",
        );
        let case = case.h("x-ask", "no").h("x-ask", second);
        all.push(case.script("503|200"));
    }
    let code = |number: u8| {
        format!(
            "200 nobody header=content-type:application/grpc header=grpc-status:{number}|200 nobody header=content-type:application/grpc header=grpc-status:0"
        )
    };
    let late = |number: u8| {
        format!(
            "200 text=x header=content-type:application/grpc trailer=grpc-status:{number}|200 text=x header=content-type:application/grpc trailer=grpc-status:0"
        )
    };
    for condition in [
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ] {
        for number in [1, 2, 4, 8, 13, 14] {
            all.push(
                grpc(
                    &format!("{condition}: grpc status {number}"),
                    "any.test",
                    &format!("/h2/{condition}"),
                )
                .script(&code(number)),
            );
        }
        all.push(
            grpc(
                &format!("{condition}: grpc status 14 in trailers"),
                "any.test",
                &format!("/h2/{condition}"),
            )
            .script(&late(14)),
        );
    }
    all.extend(numbers());
    all.extend(asked());
    all
}

fn numbers() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "any.test", path);
    vec![
        at("two retries are not enough", "/5xx").script("503"),
        at("the second retry is", "/5xx").script("503|503|200"),
        at("one retry when no number is given", "/default-number").script("503|503|200"),
        at("no retry when the number is nought", "/nought").script("503|200"),
        at("connections refused", "/dead"),
        at("connections refused are 5xx", "/dead-5xx"),
        at("connections refused are gateway errors", "/dead-gateway"),
        at("connections refused are resets", "/dead-reset"),
        at("no endpoint is not retried", "/empty"),
        at("a try that takes too long", "/per-try")
            .script("200 delay=3000|200")
            .took(100..=2500),
        at("all tries take too long", "/per-try")
            .script("200 delay=3000")
            .took(250..=2500),
        at("a try that takes too long, not retriable", "/per-try-off")
            .script("200 delay=3000|200")
            .took(100..=2500),
        at("the route's timeout ends retries", "/global")
            .script("503 delay=600")
            .took(900..=1900),
        at("a method that may be retried", "/only-get").script("503|200"),
        send("a method that may not", "PUT", "any.test", "/only-get").script("503|200"),
        at("two conditions, the first", "/two").script("409|200"),
        at("two conditions, the second", "/two").script("503|200"),
        at("different failures one after the other", "/5xx").script("500|200 break=before|200"),
        post("a body is replayed", "any.test", "/5xx", b"the body").script("503|200 echo"),
        post(
            "a chunked body is replayed",
            "any.test",
            "/5xx",
            b"the body",
        )
        .chunked()
        .script("503|200 echo"),
        post(
            "a body is replayed over HTTP/2",
            "any.test",
            "/h2/5xx",
            b"the body",
        )
        .script("503|200 echo"),
        post(
            "a body with trailers is replayed",
            "any.test",
            "/h2/5xx",
            b"the body",
        )
        .trailer("x-t", "1")
        .script("503|200 echo")
        .h2(),
        post("60 KB are replayed", "any.test", "/5xx", &[b'x'; 60_000]).script("503|200 echo"),
        post("an early failure is retried", "any.test", "/5xx", b"small")
            .script("503 early hangup|200 echo"),
        send("HEAD is retried", "HEAD", "any.test", "/5xx").script("503|200"),
    ]
}

fn asked() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "any.test", path).on("internal");
    vec![
        at("a client asks", "/none").h("x-envoy-retry-on", "5xx").script("503|200"),
        at("a client asks twice", "/none").h("x-envoy-retry-on", "5xx").h("x-envoy-max-retries", "2").script("503|503|200"),
        at("a client asks for nought", "/none").h("x-envoy-retry-on", "5xx").h("x-envoy-max-retries", "0").script("503|200"),
        at("a client asks for nonsense", "/none").h("x-envoy-retry-on", "nonsense").script("503|200"),
        at("a client asks with a number only", "/none").h("x-envoy-max-retries", "2").script("503|200"),
        at("a client raises the number", "/5xx").h("x-envoy-max-retries", "5").script("503|503|503|503|200"),
        at("a client adds a condition", "/5xx").h("x-envoy-retry-on", "retriable-4xx").script("409|503|200"),
        at("a client names statuses", "/none").h("x-envoy-retry-on", "retriable-status-codes").h("x-envoy-retriable-status-codes", "418,419").script("419|200"),
        at("a client names headers", "/none").h("x-envoy-retry-on", "retriable-headers").h("x-envoy-retriable-header-names", "x-again").script("200 header=x-again:1|200"),
        at("a client sets the time", "/none").h("x-envoy-upstream-rq-timeout-ms", "150").script("200 delay=3000").took(100..=2500),
        at("a client sets a longer time", "/none-timeout").h("x-envoy-upstream-rq-timeout-ms", "1500").script("200 delay=500").took(450..=1400),
        at("a client sets the time of a try", "/5xx").h("x-envoy-upstream-rq-per-try-timeout-ms", "150").script("200 delay=3000|200").took(100..=2500),
        at("a client sets both times", "/5xx").h("x-envoy-upstream-rq-timeout-ms", "200").h("x-envoy-upstream-rq-per-try-timeout-ms", "400").script("200 delay=3000|200").took(150..=2500),
        at("a client sets a bad time", "/none").h("x-envoy-upstream-rq-timeout-ms", "soon").script("200"),
        at("a client sets no time at all", "/none-timeout").h("x-envoy-upstream-rq-timeout-ms", "0").script("200 delay=500").took(450..=1400),
        at("a client wants 204 for a timeout", "/none-timeout").h("x-envoy-upstream-rq-timeout-alt-response", "1").script("200 delay=3000"),
        at("a client asks from outside", "/none").h("x-forwarded-for", "8.8.8.8").h("x-envoy-retry-on", "5xx").script("503|200"),
        at("a client asks from outside by main", "/none").h("x-envoy-retry-on", "5xx").script("503|200").on("main"),
        grpc("a client asks for gRPC", "any.test", "/none").h("x-envoy-retry-grpc-on", "unavailable").script("200 nobody header=content-type:application/grpc header=grpc-status:14|200 nobody header=content-type:application/grpc header=grpc-status:0").on("internal"),
    ]
}

#[tokio::test]
async fn retries() {
    let bootstrap = bootstrap()
        .listener(listener("main").route_list(&routes()))
        .listener(listener("internal").hcm(INTERNAL).route_list(&routes()));
    check("retries", bootstrap, cases()).await;
}
