//! Paths that try to get around a rule, under each way of cleaning them.
//!
//! What is compared is the decision and what the upstream is told: a path that passes must be
//! the one that was judged.

use super::{filter, rules};
use crate::oracle::{Case, bootstrap, check, get, listener, raw};

/// The listeners: how paths are cleaned.
const CLEANED: &[(&str, &str)] = &[
    ("as-is", ""),
    ("dots", "normalize_path: true"),
    ("slashes", "merge_slashes: true"),
    ("both", "normalize_path: true\nmerge_slashes: true"),
    (
        "reject",
        "normalize_path: true\nmerge_slashes: true\npath_with_escaped_slashes_action: REJECT_REQUEST",
    ),
    (
        "redirect",
        "normalize_path: true\nmerge_slashes: true\npath_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT",
    ),
    (
        "forward",
        "normalize_path: true\nmerge_slashes: true\npath_with_escaped_slashes_action: UNESCAPE_AND_FORWARD",
    ),
    (
        "forward-only",
        "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD",
    ),
];

const PATHS: &[&str] = &[
    "/admin",
    "/admin/",
    "/admin/x",
    "/ADMIN/x",
    "/Admin",
    "/administrator",
    "/admin.",
    "/admin/.",
    "/admin./x",
    "/./admin/x",
    "/x/../admin/x",
    "/public/../admin/x",
    "/public/x/../../admin",
    "/admin/../public/x",
    "/admin/..;/public/x",
    "/public/..;/admin/x",
    "/public/..;x=1/admin/x",
    "/..;/admin/x",
    "/public/.;/../admin/x",
    "//admin/x",
    "/public//..//admin",
    "///admin",
    "/\\admin/x",
    "\\admin/x",
    "/public\\..\\admin\\x",
    "/%61dmin/x",
    "/adm%69n",
    "/%41dmin",
    "/%2561dmin",
    "/%2e/admin",
    "/public/%2e%2e/admin/x",
    "/public/.%2e/admin/x",
    "/public/%2E./admin/x",
    "/public/%252e%252e/admin/x",
    "/public%2f..%2fadmin",
    "/public/..%2fadmin",
    "/public/%2e%2e%2fadmin",
    "/%2fadmin",
    "/%2Fadmin/x",
    "/%5cadmin",
    "/public%5c..%5cadmin",
    "/public/..%5cadmin",
    "/admin;x=1",
    "/admin;x=1/y",
    "/admin;/x",
    "/;/admin",
    "/public;/../admin",
    "/admin?x=/public/",
    "/admin?",
    "/admin#f",
    "/admin/x#/public/",
    "/public/x#/admin",
    "/public/x?/admin",
    "/public/x?y#/admin",
    "/x?/../admin",
    "/admin%00",
    "/admin%20",
    "/admin%2e",
    "/admin%23",
    "/admin%3f",
    "/admin%3b",
    "/admin%",
    "/public/%zz/../../admin",
    "/public/%c0%ae%c0%ae/admin",
    "/public/\u{ff0e}\u{ff0e}/admin",
    "/public/.../admin",
    "/public/..",
    "/public/../",
    "/..",
    "/.",
    "/public/x",
    "/",
];

/// Targets in absolute form.
const ABSOLUTE: &[&str] = &[
    "http://any.test/admin/x",
    "http://any.test/public/../admin/x",
    "http://any.test//admin/x",
    "http://any.test",
    "http://any.test?x=/admin",
    "http://admin/public/x",
    "http://any.test/admin#f",
];

/// What is guarded, in the two ways to do it.
fn guards() -> [(&'static str, String); 2] {
    let admin = "or_rules: {rules: [{url_path: {path: {exact: /admin}}}, {url_path: {path: {prefix: /admin/}}}]}";
    let public = "url_path: {path: {safe_regex: {regex: '/public/.*'}}}";
    [
        ("deny", rules("DENY", admin, "any: true")),
        ("allow", rules("ALLOW", public, "any: true")),
    ]
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for name in NAMES {
        for path in PATHS.iter().chain(ABSOLUTE) {
            let request = format!("GET {path} HTTP/1.1\r\nHost: any.test\r\n\r\n");
            let case = raw(&format!("{name}: {}", path.escape_default()), request);
            all.push(known(case.on(name), name, path));
        }
        // What HTTP/2's client can say: it would keep a fragment to itself.
        let sayable = |path: &&&str| path.starts_with('/') && !path.contains(['#', '\\']);
        for path in PATHS.iter().filter(sayable) {
            let case = get(
                &format!("{name}: {}", path.escape_default()),
                "any.test",
                path,
            );
            all.push(known(case.on(name).h2(), name, path));
        }
    }
    all
}

/// Where the log or the connection's fate differ, though the decision does not.
fn known(mut case: Case, listener: &str, path: &str) -> Case {
    if path.contains('#') || listener.ends_with("redirect") {
        case = case.differs("log.0.path", "logged is the path that went on");
    }
    if path.contains("%00") || listener.ends_with("reject") {
        let reason = "a path that is refused does not cost the client its connection, is logged as it came, and as a fault of the client";
        for field in [
            "connection",
            "header.connection",
            "log.0.flags",
            "log.0.path",
        ] {
            case = case.differs(field, reason);
        }
    }
    if path.contains("test?") {
        case = case.stricter("a target without a path is a fault of the client");
    }
    case
}

/// The names of the listeners: a guard and a way of cleaning.
const NAMES: &[&str] = &[
    "deny-as-is",
    "deny-dots",
    "deny-slashes",
    "deny-both",
    "deny-reject",
    "deny-redirect",
    "deny-forward",
    "deny-forward-only",
    "allow-as-is",
    "allow-dots",
    "allow-slashes",
    "allow-both",
    "allow-reject",
    "allow-redirect",
    "allow-forward",
    "allow-forward-only",
];

#[tokio::test]
async fn rbac_paths() {
    let mut bootstrap = bootstrap();
    let guards = guards();
    for name in NAMES {
        let (guard, way) = name.split_once('-').unwrap();
        let rules = &guards.iter().find(|(name, _)| *name == guard).unwrap().1;
        let hcm = CLEANED.iter().find(|(name, _)| *name == way).unwrap().1;
        bootstrap = bootstrap.listener(
            listener(name)
                .hcm(hcm)
                .filters(&filter("rbac", &format!("rules: {rules}")))
                .route_list("- {match: {prefix: /}, route: {cluster: up}}"),
        );
    }
    check("rbac-paths", bootstrap, cases()).await;
}
