//! What route configurations, virtual hosts, routes and weighted clusters say of filters; the
//! order of filters; shadow rules.

use super::{PER_ROUTE, filter, rules};
use crate::oracle::{Case, bootstrap, check, get, grpc, listener};

const FAULT: &str = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
const FILTER: &str = "type.googleapis.com/envoy.config.route.v3.FilterConfig";

/// The filters of all listeners: two of each kind, one of them off unless a route wants it.
fn filters() -> String {
    let admin = rules("DENY", "url_path: {path: {contains: admin}}", "any: true");
    let header = rules("DENY", "header: {name: x-second}", "any: true");
    let all = rules("DENY", "any: true", "any: true");
    let fault = |name: &str, status: u16, more: &str| {
        format!(
            "- name: {name}\n  typed_config: {{\"@type\": {FAULT}, abort: {{http_status: {status}, percentage: {{numerator: 100}}}}, headers: [{{name: x-fault}}]}}\n{more}"
        )
    };
    [
        fault("fault", 503, ""),
        filter("rbac", &format!("rules: {admin}")),
        filter("second", &format!("rules: {header}\nshadow_rules: {all}")),
        format!(
            "{}\n  disabled: true",
            filter("spare", &format!("rules: {all}"))
        ),
        fault("late", 504, "  disabled: true\n"),
    ]
    .join("\n")
}

/// What one level may say, by name.
fn says() -> Vec<(&'static str, String)> {
    let own = rules("DENY", "header: {name: x-own}", "any: true");
    vec![
        ("nothing", "{}".to_owned()),
        (
            "rules",
            format!("{{rbac: {{\"@type\": {PER_ROUTE}, rbac: {{rules: {own}}}}}}}"),
        ),
        ("no-rules", format!("{{rbac: {{\"@type\": {PER_ROUTE}}}}}")),
        (
            "no-rules-inside",
            format!("{{rbac: {{\"@type\": {PER_ROUTE}, rbac: {{}}}}}}"),
        ),
        (
            "empty-rules",
            format!("{{rbac: {{\"@type\": {PER_ROUTE}, rbac: {{rules: {{}}}}}}}}"),
        ),
        (
            "disabled",
            format!(
                "{{rbac: {{\"@type\": {FILTER}, disabled: true}}, fault: {{\"@type\": {FILTER}, disabled: true}}}}"
            ),
        ),
        (
            "enabled",
            format!(
                "{{spare: {{\"@type\": {FILTER}, config: {{}}}}, late: {{\"@type\": {FILTER}, config: {{}}}}}}"
            ),
        ),
        (
            "wrapped",
            format!(
                "{{rbac: {{\"@type\": {FILTER}, config: {{\"@type\": {PER_ROUTE}, rbac: {{rules: {own}}}}}}}}}"
            ),
        ),
        (
            "enabled-with",
            format!(
                "{{spare: {{\"@type\": {PER_ROUTE}, rbac: {{rules: {own}}}}}, late: {{\"@type\": {FAULT}, abort: {{http_status: 418, percentage: {{numerator: 100}}}}, headers: [{{name: x-fault}}]}}}}"
            ),
        ),
        (
            "fault",
            format!(
                "{{fault: {{\"@type\": {FAULT}, abort: {{http_status: 429, percentage: {{numerator: 100}}}}, headers: [{{name: x-own}}]}}}}"
            ),
        ),
        (
            "wrong-type",
            format!(
                "{{rbac: {{\"@type\": {FAULT}, abort: {{http_status: 429, percentage: {{numerator: 0}}}}}}, second: {{\"@type\": {FILTER}, disabled: true}}}}"
            ),
        ),
        (
            "unknown-name",
            format!("{{nobody: {{\"@type\": {PER_ROUTE}}}}}"),
        ),
    ]
}

/// The levels at which it may be said.
const LEVELS: &[&str] = &["host", "route", "cluster"];

/// A route configuration says one thing: a listener for each.
const CONFIGS: &[&str] = &[
    "config-nothing",
    "config-rules",
    "config-no-rules",
    "config-no-rules-inside",
    "config-empty-rules",
    "config-disabled",
    "config-enabled",
    "config-wrapped",
    "config-enabled-with",
    "config-fault",
    "config-wrong-type",
    "config-unknown-name",
];

/// A virtual host that says `said` at one level; the route `/off` takes what is said above it
/// back.
fn host(name: &str, level: &str, said: &str) -> String {
    let at = |wanted: &str| if level == wanted { said } else { "{}" };
    let off = format!("{{rbac: {{\"@type\": {FILTER}, disabled: true}}}}");
    let route = |prefix: &str, own: &str| {
        format!(
            "  - match: {{prefix: {prefix}}}\n    route: {{weighted_clusters: {{clusters: [{{name: up, weight: 1, typed_per_filter_config: {}}}]}}}}\n    typed_per_filter_config: {own}\n",
            at("cluster")
        )
    };
    format!(
        "- name: {name}\n  domains: [{name}.test]\n  typed_per_filter_config: {}\n  routes:\n  - {{match: {{prefix: /direct}}, direct_response: {{status: 200}}}}\n{}{}",
        at("host"),
        route("/off", &off),
        route("/x", at("route")),
    )
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, _) in says() {
        for level in LEVELS {
            all.extend(at(level, name));
        }
    }
    for listener in CONFIGS {
        all.extend(at(listener, "all"));
        all.push(
            get(
                &format!("{listener}: nobody's host"),
                "nobody.test",
                "/x/admin",
            )
            .on(listener),
        );
    }
    all.push(grpc("gRPC", "nothing.test", "/x/admin").on("host"));
    all
}

fn at(listener: &'static str, host: &str) -> Vec<Case> {
    let at = |path: &str, fields: &[&str]| {
        let name = format!("{listener}: {host}: {path} {fields:?}");
        let case = get(&name, &format!("{host}.test"), path);
        let case = fields.iter().fold(case, |case, field| case.h(field, "1"));
        case.on(listener).h1()
    };
    let fields = [
        &[][..],
        &["x-own"],
        &["x-second"],
        &["x-fault"],
        &["x-fault", "x-own"],
        &["x-fault", "x-second"],
    ];
    let mut all = Vec::new();
    for path in [
        "/x",
        "/x/admin",
        "/off/admin",
        "/direct/admin",
        "/unrouted/admin",
    ] {
        all.extend(fields.map(|fields| at(path, fields)));
    }
    all
}

#[tokio::test]
async fn rbac_levels() {
    let mut bootstrap = bootstrap();
    for level in LEVELS {
        let hosts: Vec<_> = says()
            .iter()
            .map(|(name, said)| host(name, level, said))
            .collect();
        let routes = format!("virtual_hosts:\n{}", hosts.concat());
        bootstrap = bootstrap.listener(listener(level).filters(&filters()).routes(&routes));
    }
    for name in CONFIGS {
        let says = says();
        let wanted = name.strip_prefix("config-").unwrap();
        let said = &says.iter().find(|(name, _)| *name == wanted).unwrap().1;
        let routes = format!(
            "virtual_hosts:\n{}\ntyped_per_filter_config: {said}",
            host("all", "config", "")
        );
        bootstrap = bootstrap.listener(listener(name).filters(&filters()).routes(&routes));
    }
    check("rbac-levels", bootstrap, cases()).await;
}
