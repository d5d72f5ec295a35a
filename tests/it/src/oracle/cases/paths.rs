//! Path normalisation: dots, slashes, escaped slashes, underscores in header names.

use crate::oracle::{Case, bootstrap, check, get, listener, raw};

const ROUTES: &str = r#"
- {match: {path: /admin}, direct_response: {status: 403, body: {inline_string: guarded}}}
- {match: {prefix: /a/b}, route: {cluster: up}, name: ab}
- {match: {prefix: /}, route: {cluster: up}, name: rest}
"#;

const LISTENERS: &[(&str, &str)] = &[
    ("main", ""),
    ("as-is", "normalize_path: false"),
    ("dots", "normalize_path: true"),
    ("slashes", "merge_slashes: true"),
    ("both", "normalize_path: true\nmerge_slashes: true"),
    (
        "keep",
        "normalize_path: true\npath_with_escaped_slashes_action: KEEP_UNCHANGED",
    ),
    (
        "reject",
        "normalize_path: true\npath_with_escaped_slashes_action: REJECT_REQUEST",
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
    "/a/../b",
    "/a/./b",
    "/../a",
    "/a/b/../../c",
    "/a/..",
    "/a/.",
    "/..",
    "/a/b/..;x/c",
    "/..;/admin",
    "/a/../admin",
    "//a//b",
    "///",
    "/a//b?x=//",
    "//admin",
    "/a/b//../c",
    "/a%2fb",
    "/a%2Fb",
    "/a%5cb",
    "/a%5Cb",
    "/a\\b",
    "/%2e%2e/admin",
    "/a/%2e%2e/b",
    "/a/%2E/b",
    "/%61dmin",
    "/%41bc",
    "/a%20b",
    "/a%zz",
    "/a%",
    "/a%2",
    "/a%00b",
    "/a%2f..%2fadmin",
    "/a/..%2fadmin",
    "/a%2f%2fb",
    "/a?x=/../b",
    "/a?x=%2f",
    "/a;x=1/../b",
    "/a/b/%2e%2e;/c",
    "/admin/",
    "/admin/.",
    "/admin%2f",
    "/./admin",
    "/a/...//b",
    "/a/b/c/../../../../x",
    "/%2f",
    "/~user/%7Euser",
    "/a|b",
    "/a^b",
    "/a%252fb",
    "/.a/..b/c..",
];

const UNDERSCORES: &[(&str, &str)] = &[
    (
        "underscore-allow",
        "common_http_protocol_options: {headers_with_underscores_action: ALLOW}",
    ),
    (
        "underscore-reject",
        "common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}",
    ),
    (
        "underscore-drop",
        "common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}",
    ),
];

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (listener, _) in LISTENERS {
        for path in PATHS {
            let request = format!("GET {path} HTTP/1.1\r\nHost: any.test\r\n\r\n");
            let case = raw(&format!("{listener}: {path}"), request).on(listener);
            all.push(if path.contains("%2e%2e;") {
                let reason = "an encoded dot segment with parameters is a dot segment too";
                case.differs("log.0.", reason)
                    .differs("upstream.0.", reason)
            } else {
                case
            });
        }
        for path in ["/a/../admin", "//admin", "/a%2fb", "/%2e%2e/admin"] {
            all.push(
                get(&format!("{listener}: {path}"), "any.test", path)
                    .on(listener)
                    .h2(),
            );
        }
        let absolute = "GET http://abs.test/a/../admin HTTP/1.1\r\nHost: any.test\r\n\r\n";
        all.push(raw(&format!("{listener}: absolute target"), absolute).on(listener));
    }
    for (listener, _) in UNDERSCORES {
        let at = |name: &str| get(&format!("{listener}: {name}"), "any.test", "/").on(listener);
        all.extend([
            at("one").h("x_under", "1"),
            at("first and last").h("_x_", "1").h("other", "2"),
            at("with a twin of dashes")
                .h("x_under", "1")
                .h("x-under", "2"),
            at("in the value").h("x-value", "a_b"),
            at("from the upstream").script("200 header=x_up:1 trailer=x_trailer:1"),
            at("a content_length").h("content_length", "5"),
        ]);
    }
    all
}

#[tokio::test]
async fn paths() {
    let mut bootstrap = bootstrap();
    for (name, hcm) in LISTENERS.iter().chain(UNDERSCORES) {
        bootstrap = bootstrap.listener(listener(name).hcm(hcm).route_list(ROUTES));
    }
    check("paths", bootstrap, cases()).await;
}
