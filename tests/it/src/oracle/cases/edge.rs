//! Who may set `x-forwarded-*` and `x-envoy-*`, and request ids.

use crate::oracle::{Case, bootstrap, check, get, listener, raw, send};

const ROUTES: &str = r#"
- {match: {prefix: /retries}, route: {cluster: up, retry_policy: {retry_on: 5xx, num_retries: 1}}}
- {match: {prefix: /h2}, route: {cluster: up_h2}}
- {match: {prefix: /dead}, route: {cluster: dead}}
- {match: {prefix: /}, route: {cluster: up}}
"#;

const INTERNAL: &str = "internal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}, {address_prefix: '{{self}}', prefix_len: 32}, {address_prefix: 10.0.0.0, prefix_len: 8}]}";

/// Headers that a client may try to set.
const CLAIMS: &[(&str, &str)] = &[
    ("x-forwarded-for", "1.2.3.4"),
    ("x-forwarded-for", "1.2.3.4, 10.1.1.1"),
    ("x-forwarded-for", "10.1.1.1"),
    ("x-forwarded-for", "garbage"),
    ("x-forwarded-for", ""),
    ("x-forwarded-for", "::1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-proto", ""),
    ("x-forwarded-host", "claimed.test"),
    ("x-forwarded-port", "99"),
    ("x-envoy-external-address", "9.9.9.9"),
    ("x-envoy-internal", "true"),
    ("x-envoy-internal", "false"),
    ("x-envoy-upstream-rq-timeout-ms", "5000"),
    ("x-envoy-upstream-rq-per-try-timeout-ms", "4000"),
    ("x-envoy-expected-rq-timeout-ms", "77"),
    ("x-envoy-retry-on", "5xx"),
    ("x-envoy-retry-grpc-on", "unavailable"),
    ("x-envoy-max-retries", "2"),
    ("x-envoy-hedge-on-per-try-timeout", "true"),
    ("x-envoy-attempt-count", "9"),
    ("x-envoy-original-path", "/claimed"),
    ("x-envoy-original-host", "claimed.test"),
    ("x-envoy-decorator-operation", "op"),
    ("x-envoy-downstream-service-cluster", "cluster"),
    ("x-envoy-downstream-service-node", "node"),
    ("x-envoy-ip-tags", "tag"),
    ("x-envoy-force-trace", "true"),
    ("x-envoy-retriable-status-codes", "200"),
    ("x-envoy-retriable-header-names", "x"),
    ("x-envoy-upstream-alt-stat-name", "name"),
    ("x-envoy-upstream-rq-timeout-alt-response", "1"),
    ("x-envoy-is-timeout-retry", "true"),
    ("x-envoy-unknown", "1"),
    ("x-request-id", "mine"),
    ("x-request-id", "a1b2c3d4-0000-4000-8000-000000000000"),
    ("x-client-trace-id", "trace"),
    ("forwarded", "for=1.2.3.4"),
    ("via", "1.1 other"),
    ("x-forwarded-client-cert", "By=me"),
    ("server", "me"),
    ("x-real-ip", "1.1.1.1"),
];

const LISTENERS: &[(&str, &str)] = &[
    ("main", "use_remote_address: false"),
    ("edge", "use_remote_address: true"),
    ("hops", "use_remote_address: true\nxff_num_trusted_hops: 1"),
    (
        "hops-inside",
        "use_remote_address: false\nxff_num_trusted_hops: 1",
    ),
    ("skip", "use_remote_address: true\nskip_xff_append: true"),
    (
        "ids",
        "use_remote_address: false\npreserve_external_request_id: true\nalways_set_request_id_in_response: true",
    ),
    (
        "no-ids",
        "use_remote_address: true\ngenerate_request_id: false",
    ),
    ("via", "via: gateway"),
    ("server", "server_name: other"),
    (
        "server-append",
        "server_header_transformation: APPEND_IF_ABSENT",
    ),
    ("server-pass", "server_header_transformation: PASS_THROUGH"),
    (
        "scheme",
        "scheme_header_transformation: {scheme_to_overwrite: https}",
    ),
];

fn internal_listener(name: &'static str) -> &'static str {
    match name {
        "edge" => "edge-internal",
        _ => "main-internal",
    }
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for listener in ["main", "edge", "main-internal", "edge-internal"] {
        for (name, value) in CLAIMS {
            let case = get(&format!("{listener}, {name}: {value:?}"), "any.test", "/x")
                .h(name, value)
                .on(listener);
            all.push(if listener == "main" { case } else { case.h1() });
        }
        all.push(get(&format!("{listener}, nothing claimed"), "any.test", "/x").on(listener));
        all.push(get(&format!("{listener}, to HTTP/2"), "any.test", "/h2").on(listener));
        for protos in [vec!["https"], vec!["HTTPS"], vec!["https", "http"]] {
            let name = format!("{listener}, to HTTP/2, x-forwarded-proto {protos:?}");
            all.push(
                (protos.iter())
                    .fold(get(&name, "any.test", "/h2"), |case, proto| {
                        case.h("x-forwarded-proto", proto)
                    })
                    .on(listener),
            );
        }
        all.push(
            get(
                &format!("{listener}, x-forwarded-for twice"),
                "any.test",
                "/x",
            )
            .h("x-forwarded-for", "1.1.1.1")
            .h("x-forwarded-for", "10.0.0.2")
            .on(listener),
        );
        all.push(
            get(
                &format!("{listener}, all retries claimed"),
                "any.test",
                "/x",
            )
            .h("x-envoy-retry-on", "5xx")
            .h("x-envoy-max-retries", "3")
            .script("503|503|200")
            .on(listener),
        );
    }
    for (listener, _) in &LISTENERS[2..] {
        for value in ["1.2.3.4", "1.2.3.4, 5.6.7.8", "1.2.3.4,5.6.7.8,10.0.0.1"] {
            all.push(
                get(
                    &format!("{listener}, x-forwarded-for: {value}"),
                    "any.test",
                    "/x",
                )
                .h("x-forwarded-for", value)
                .on(listener)
                .h1(),
            );
        }
        all.push(get(&format!("{listener}, nothing claimed"), "any.test", "/x").on(listener));
        all.push(
            get(&format!("{listener}, a request id"), "any.test", "/x")
                .h("x-request-id", "mine")
                .on(listener),
        );
        for value in ["http", "https", ""] {
            let name = format!("{listener}, to HTTP/2, x-forwarded-proto: {value:?}");
            all.push(
                get(&name, "any.test", "/h2")
                    .h("x-forwarded-proto", value)
                    .on(listener),
            );
        }
        all.push(get(&format!("{listener}, a local reply"), "any.test", "/dead").on(listener));
        all.push(
            get(
                &format!("{listener}, a server and via from upstream"),
                "any.test",
                "/x",
            )
            .script("200 header=server:up header=via:1.0+up")
            .h("via", "1.1 client")
            .on(listener),
        );
    }
    let twice = get("via given twice", "any.test", "/x");
    all.push(twice.h("via", "1.1 a").h("via", "1.1 b").on("via"));
    all.extend(hop_by_hop());
    all
}

fn hop_by_hop() -> Vec<Case> {
    let at = |name: &str| get(name, "any.test", "/x").h1();
    vec![
        at("connection: close").h("connection", "close"),
        at("connection: keep-alive")
            .h("connection", "keep-alive")
            .h("keep-alive", "timeout=5"),
        at("connection names a header")
            .h("connection", "x-hop")
            .h("x-hop", "1"),
        at("connection names two headers and close")
            .h("connection", "x-hop, close, x-hip")
            .h("x-hop", "1")
            .h("x-hip", "2"),
        at("proxy-connection").h("proxy-connection", "keep-alive"),
        at("proxy-authorization").h("proxy-authorization", "Basic x"),
        at("te: trailers").h("te", "trailers"),
        at("te: gzip").h("te", "gzip, trailers;q=0.5"),
        at("te with connection")
            .h("te", "trailers")
            .h("connection", "te"),
        at("trailer").h("trailer", "x-t"),
        at("upgrade without an upgrade type")
            .h("connection", "upgrade")
            .h("upgrade", "foo"),
        at("upgrade: h2c")
            .h("connection", "Upgrade, HTTP2-Settings")
            .h("upgrade", "h2c")
            .h("http2-settings", "AAMAAABkAAQAAP__"),
        at("transfer-encoding: identity").h("transfer-encoding", "identity"),
        at("http2-settings alone").h("http2-settings", "AAMAAABkAAQAAP__"),
        at("upstream: connection close").script("200 close"),
        at("upstream: keep-alive")
            .script("200 header=keep-alive:timeout=5 header=connection:keep-alive"),
        at("upstream: proxy-authenticate").script("407 header=proxy-authenticate:Basic"),
        at("upstream: names a header").script("200 header=connection:x-hop header=x-hop:1"),
        at("upstream: upgrade offered").script("200 header=upgrade:h2c header=connection:upgrade"),
        at("upstream: te and trailer").script("200 header=te:trailers header=trailer:x-t"),
        get("h2: te trailers", "any.test", "/x")
            .h("te", "trailers")
            .h2(),
        get("h2: te trailers to h2", "any.test", "/h2")
            .h("te", "trailers")
            .h2(),
        send("HTTP/1.1 to h2: te", "GET", "any.test", "/h2")
            .h("te", "trailers")
            .h1(),
        get("two connections one after the other", "any.test", "/x").times(3),
        raw(
            "lower-case http in the version",
            "GET / http/1.1\r\nHost: any.test\r\n\r\n",
        ),
    ]
}

#[tokio::test]
async fn edge() {
    let mut bootstrap = bootstrap();
    for (name, hcm) in LISTENERS {
        bootstrap = bootstrap.listener(listener(name).hcm(hcm).route_list(ROUTES));
    }
    for (name, hcm) in &LISTENERS[..2] {
        let listener = listener(internal_listener(name)).hcm(hcm).hcm(INTERNAL);
        bootstrap = bootstrap.listener(listener.route_list(ROUTES));
    }
    check("edge", bootstrap, cases()).await;
}

/// The router may be told to keep its own headers to itself, and to check those of clients.
#[tokio::test]
async fn router_options() {
    let router = |fields: &str| {
        format!(
            "- name: envoy.filters.http.router\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n    {fields}"
        )
    };
    let with = |name, fields: &str| {
        listener(name)
            .hcm(INTERNAL)
            .only_filters(&router(fields))
            .routes(ATTEMPTS)
    };
    let bootstrap = bootstrap()
        .listener(with("main", "suppress_envoy_headers: false"))
        .listener(with("quiet", "suppress_envoy_headers: true"));
    let mut all = Vec::new();
    for listener in ["main", "quiet"] {
        let at = |name: &str, path: &str| {
            get(&format!("{listener}, {name}"), "any.test", path).on(listener)
        };
        all.extend([
            at("plain", "/x"),
            at("retried", "/x").script("503|200"),
            at("rewritten", "/rewritten"),
            at("of a dead upstream", "/dead"),
            at("attempt count claimed", "/x").h("x-envoy-attempt-count", "7"),
            at("upstream answers with envoy headers", "/x").script("200 header=x-envoy-upstream-service-time:5 header=x-envoy-attempt-count:3 header=x-envoy-overloaded:1"),
            at("a timeout of its own", "/x").h("x-envoy-upstream-rq-timeout-ms", "100").script("200 delay=400"),
        ]);
    }
    check("router_options", bootstrap, all).await;
}

const ATTEMPTS: &str = r#"
virtual_hosts:
- name: all
  domains: ["*"]
  include_request_attempt_count: true
  include_attempt_count_in_response: true
  routes:
  - {match: {prefix: /dead}, route: {cluster: dead, retry_policy: {retry_on: connect-failure, num_retries: 1}}}
  - {match: {prefix: /rewritten}, route: {cluster: up, prefix_rewrite: /r, host_rewrite_literal: r.test}}
  - {match: {prefix: /}, route: {cluster: up, retry_policy: {retry_on: 5xx, num_retries: 2}}}
"#;
