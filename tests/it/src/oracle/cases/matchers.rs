//! Header and query parameter matchers, each kind, inverted too.

use crate::oracle::{Case, bootstrap, check, get, listener, raw, send};

/// Each line: the path of the route and its header matcher.
const HEADERS: &[(&str, &str)] = &[
    ("exact", "name: x-m, string_match: {exact: value}"),
    (
        "exact-any-case",
        "name: x-m, string_match: {exact: Value, ignore_case: true}",
    ),
    ("prefix", "name: x-m, string_match: {prefix: val}"),
    (
        "prefix-any-case",
        "name: x-m, string_match: {prefix: VAL, ignore_case: true}",
    ),
    ("suffix", "name: x-m, string_match: {suffix: lue}"),
    (
        "suffix-any-case",
        "name: x-m, string_match: {suffix: LUE, ignore_case: true}",
    ),
    ("contains", "name: x-m, string_match: {contains: alu}"),
    (
        "contains-any-case",
        "name: x-m, string_match: {contains: ALU, ignore_case: true}",
    ),
    (
        "regex",
        "name: x-m, string_match: {safe_regex: {regex: 'v.*e'}}",
    ),
    ("present", "name: x-m, present_match: true"),
    ("absent", "name: x-m, present_match: false"),
    ("bare", "name: x-m"),
    ("range", "name: x-m, range_match: {start: -10, end: 10}"),
    ("capital-name", "name: X-M, string_match: {exact: value}"),
    (
        "not-exact",
        "name: x-m, string_match: {exact: value}, invert_match: true",
    ),
    (
        "not-prefix",
        "name: x-m, string_match: {prefix: val}, invert_match: true",
    ),
    (
        "not-regex",
        "name: x-m, string_match: {safe_regex: {regex: 'v.*e'}}, invert_match: true",
    ),
    (
        "not-present",
        "name: x-m, present_match: true, invert_match: true",
    ),
    (
        "not-absent",
        "name: x-m, present_match: false, invert_match: true",
    ),
    (
        "not-range",
        "name: x-m, range_match: {start: -10, end: 10}, invert_match: true",
    ),
    (
        "empty-exact",
        "name: x-m, string_match: {exact: ''}, treat_missing_header_as_empty: true",
    ),
    (
        "empty-not-exact",
        "name: x-m, string_match: {exact: value}, invert_match: true, treat_missing_header_as_empty: true",
    ),
    (
        "empty-regex",
        "name: x-m, string_match: {safe_regex: {regex: '.*'}}, treat_missing_header_as_empty: true",
    ),
    (
        "empty-present",
        "name: x-m, present_match: true, treat_missing_header_as_empty: true",
    ),
    ("method", "name: ':method', string_match: {exact: POST}"),
    (
        "authority",
        "name: ':authority', string_match: {suffix: '.test'}",
    ),
    ("scheme", "name: ':scheme', string_match: {exact: http}"),
    (
        "path-header",
        "name: ':path', string_match: {contains: '?x='}",
    ),
    ("host", "name: host, string_match: {exact: any.test}"),
];

/// Each line: the path of the route and its query parameter matcher.
const QUERIES: &[(&str, &str)] = &[
    ("q-exact", "name: q, string_match: {exact: value}"),
    (
        "q-any-case",
        "name: q, string_match: {exact: VALUE, ignore_case: true}",
    ),
    ("q-prefix", "name: q, string_match: {prefix: val}"),
    ("q-suffix", "name: q, string_match: {suffix: lue}"),
    ("q-contains", "name: q, string_match: {contains: alu}"),
    (
        "q-regex",
        "name: q, string_match: {safe_regex: {regex: '[a-v]+e'}}",
    ),
    ("q-present", "name: q, present_match: true"),
    ("q-bare", "name: q"),
];

/// The values that each header route is tried with.
const VALUES: &[Option<&str>] = &[
    None,
    Some("value"),
    Some("VALUE"),
    Some("val"),
    Some("xvaluex"),
    Some(""),
];

const SEARCHES: &[&str] = &[
    "",
    "?",
    "?q",
    "?q=",
    "?q=value",
    "?q=VALUE",
    "?q=val",
    "?q=xvaluex",
    "?p=1&q=value",
    "?q=x&q=value",
    "?q=value&q=x",
    "?q=%76alue",
    "?q=value#f",
    "?q=val+ue",
    "?Q=value",
    "?&&q=value",
    "?q=value;p=1",
];

fn routes() -> String {
    let mut yaml = String::new();
    for (path, matcher) in HEADERS {
        yaml.push_str(&route(path, &format!("headers: [{{{matcher}}}]")));
    }
    for (path, matcher) in QUERIES {
        yaml.push_str(&route(path, &format!("query_parameters: [{{{matcher}}}]")));
    }
    let both = "headers: [{name: x-a, present_match: true}, {name: x-b, string_match: {exact: '1'}}], query_parameters: [{name: q, present_match: true}]";
    yaml.push_str(&route("all", both));
    yaml.push_str(
        "- {match: {prefix: /}, direct_response: {status: 404, body: {inline_string: nothing}}}\n",
    );
    yaml
}

fn route(path: &str, matchers: &str) -> String {
    format!(
        "- {{match: {{path: /{path}, {matchers}}}, direct_response: {{status: 200, body: {{inline_string: \"{path}\"}}}}}}\n"
    )
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (path, _) in HEADERS {
        for value in VALUES {
            let case = get(
                &format!("header {path}: {value:?}"),
                "any.test",
                &format!("/{path}"),
            );
            all.push(match value {
                Some(value) => case.h("X-M", value).h1(),
                None => case.h2(),
            });
        }
    }
    for (path, _) in QUERIES {
        for search in SEARCHES {
            let target = format!("/{path}{search}");
            let request = format!("GET {target} HTTP/1.1\r\nHost: any.test\r\n\r\n");
            all.push(raw(&format!("query {target}"), request));
        }
    }
    for value in [
        "-11",
        "-10",
        "0",
        "9",
        "10",
        "9x",
        " 9",
        "1.5",
        "+5",
        "9999999999999999999999",
    ] {
        for path in ["/range", "/not-range"] {
            all.push(
                get(&format!("range {path}: {value:?}"), "any.test", path)
                    .h("x-m", value)
                    .h1(),
            );
        }
    }
    let any = |name: &str, path: &str| get(name, "any.test", path);
    all.extend([
        any("two values, the first", "/exact")
            .h("x-m", "value")
            .h("x-m", "other"),
        any("two values, the second", "/exact")
            .h("x-m", "other")
            .h("x-m", "value"),
        any("two values, neither the second", "/not-exact")
            .h("x-m", "other")
            .h("x-m", "value"),
        any("two values, neither", "/not-exact")
            .h("x-m", "other")
            .h("x-m", "another"),
        any("two values, not in the range", "/not-range")
            .h("x-m", "1")
            .h("x-m", "99"),
        any("two values, suffix", "/suffix")
            .h("x-m", "other")
            .h("x-m", "value"),
        any("two values, regex", "/regex")
            .h("x-m", "v")
            .h("x-m", "e"),
        any("two values, range", "/range")
            .h("x-m", "1")
            .h("x-m", "2"),
        send("the method", "POST", "any.test", "/method"),
        any("another method", "/method"),
        any("the authority", "/authority"),
        any("the scheme", "/scheme"),
        any("the scheme behind https", "/scheme").h("x-forwarded-proto", "https"),
        any("the path with its query", "/path-header?x=1"),
        any("the path without", "/path-header?y=1"),
        any("host by its old name", "/host"),
        any("all of them", "/all?q=1").h("x-a", "").h("x-b", "1"),
        any("all but one header", "/all?q=1").h("x-a", ""),
        any("all but the query", "/all").h("x-a", "").h("x-b", "1"),
    ]);
    all
}

#[tokio::test]
async fn matchers() {
    let bootstrap = bootstrap().listener(listener("main").route_list(&routes()));
    check("matchers", bootstrap, cases()).await;
}
