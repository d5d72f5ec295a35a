//! Redirects, all their fields, and virtual hosts that require TLS.

use crate::oracle::{Case, bootstrap, check, get, listener, raw, send};

/// The path of a route and its redirect.
const REDIRECTS: &[(&str, &str)] = &[
    ("https", "https_redirect: true"),
    ("no-https", "https_redirect: false"),
    ("scheme", "scheme_redirect: ftp"),
    ("host", "host_redirect: other.test"),
    ("host-port", "host_redirect: 'other.test:99'"),
    ("port", "port_redirect: 8443"),
    ("port-80", "port_redirect: 80"),
    (
        "host-and-port",
        "host_redirect: other.test, port_redirect: 8443",
    ),
    ("https-443", "https_redirect: true, port_redirect: 443"),
    ("https-8443", "https_redirect: true, port_redirect: 8443"),
    ("path", "path_redirect: /new"),
    ("path-query", "path_redirect: '/new?a=b'"),
    ("path-fragment", "path_redirect: '/new#f'"),
    ("prefix", "prefix_rewrite: /new"),
    ("prefix-slash", "prefix_rewrite: /"),
    ("strip", "path_redirect: /new, strip_query: true"),
    ("strip-only", "strip_query: true"),
    (
        "strip-query-path",
        "path_redirect: '/new?a=b', strip_query: true",
    ),
    (
        "regex",
        "regex_rewrite: {pattern: {regex: '/regex/([a-z]+)'}, substitution: '/new/\\1'}",
    ),
    (
        "regex-all",
        "regex_rewrite: {pattern: {regex: 'e'}, substitution: 'E'}",
    ),
    (
        "301",
        "path_redirect: /new, response_code: MOVED_PERMANENTLY",
    ),
    ("302", "path_redirect: /new, response_code: FOUND"),
    ("303", "path_redirect: /new, response_code: SEE_OTHER"),
    (
        "307",
        "path_redirect: /new, response_code: TEMPORARY_REDIRECT",
    ),
    (
        "308",
        "path_redirect: /new, response_code: PERMANENT_REDIRECT",
    ),
    (
        "everything",
        "https_redirect: true, host_redirect: other.test, port_redirect: 1, path_redirect: /p, strip_query: true, response_code: SEE_OTHER",
    ),
    ("empty", "path_redirect: ''"),
    ("format", "path_rewrite: '/new/%REQ(x-v)%/%REQ(:path)%'"),
    ("format-literal", "path_rewrite: /new"),
    ("format-query", "path_rewrite: '/new?a=%REQ(x-v)%'"),
    ("format-only", "path_rewrite: '%REQ(x-v)%'"),
    (
        "format-strip",
        "path_rewrite: '/new?a=b', strip_query: true, https_redirect: true",
    ),
    (
        "format-facts",
        "path_rewrite: '/%PROTOCOL%/%RESPONSE_CODE%/%ROUTE_NAME%'",
    ),
    ("format-empty", "path_rewrite: ''"),
];

/// What proxies in front may have spoken.
const PROTOS: &[&[&str]] = &[
    &["https"],
    &["http"],
    &["HTTPS"],
    &["gopher"],
    &["javascript"],
    &["https,http"],
    &["https", "http"],
    &["http", "https"],
    &[""],
];

const TLS: &str = r#"
virtual_hosts:
- name: all
  domains: ["all.test"]
  require_tls: ALL
  routes: [{match: {prefix: /}, route: {cluster: up}}]
- name: external
  domains: ["external.test"]
  require_tls: EXTERNAL_ONLY
  routes: [{match: {prefix: /}, route: {cluster: up}}]
- name: none
  domains: ["*"]
  require_tls: NONE
  routes: [{match: {prefix: /}, route: {cluster: up}}]
"#;

fn routes() -> String {
    let mut yaml = String::new();
    for (path, redirect) in REDIRECTS {
        yaml.push_str(&format!(
            "- {{match: {{prefix: /{path}/}}, redirect: {{{redirect}}}}}\n"
        ));
    }
    yaml.push_str("- {match: {prefix: /added}, redirect: {path_redirect: /new}, response_headers_to_add: [{header: {key: x-added, value: 'yes'}}]}\n");
    yaml
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (path, _) in REDIRECTS {
        for (host, rest) in [
            ("any.test", "abc"),
            ("any.test:8080", "abc?q=1"),
            ("any.test:80", "a%20b?q"),
            ("any.test:443", "abc"),
        ] {
            let name = format!("redirect {path}, {host}, {rest}");
            let case = get(&name, host, &format!("/{path}/{rest}"));
            all.push(case);
        }
        if path.starts_with("format") {
            for value in [
                "v1",
                "a/b?c=d",
                "with space",
                "%2f",
                "\"quoted\"<>",
                "#f",
                "",
            ] {
                let name = format!("redirect {path} with {value:?}");
                all.push(get(&name, "any.test", &format!("/{path}/x?y")).h("x-v", value));
            }
        }
    }
    all.extend([
        get("redirect with an added header", "any.test", "/added"),
        send("redirect of HEAD", "HEAD", "any.test", "/302/x"),
        send("redirect of POST", "POST", "any.test", "/307/x").body(b"body"),
        get(
            "redirect behind a proxy that spoke https",
            "any.test",
            "/host/x",
        )
        .h("x-forwarded-proto", "https"),
        raw(
            "redirect of an absolute target",
            "GET http://abs.test/path/x?y HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
        get("redirect of an address", "[::1]:80", "/port/x"),
    ]);
    for host in ["all.test", "external.test", "none.test"] {
        for (name, value) in [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-proto", "http"),
            ("x-other", "1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "8.8.8.8"),
        ] {
            all.push(
                get(
                    &format!("tls required {host}, {name}: {value}"),
                    host,
                    "/p?q=1",
                )
                .h(name, value)
                .on("tls"),
            );
        }
    }
    for protos in PROTOS {
        let claimed = |case: Case| {
            protos
                .iter()
                .fold(case, |case, proto| case.h("x-forwarded-proto", proto))
        };
        for path in ["host", "path", "https", "https-443", "port-80"] {
            let name = format!("redirect {path} behind {protos:?}");
            all.push(claimed(get(&name, "any.test:443", &format!("/{path}/x"))));
        }
        let name = format!("tls required behind {protos:?}");
        all.push(claimed(get(&name, "all.test", "/p")).on("tls"));
    }
    all.push(
        send("tls required of POST", "POST", "all.test", "/p")
            .body(b"x")
            .on("tls"),
    );
    all.push(get("tls required with a port", "all.test:8080", "/p").on("tls"));
    all
}

#[tokio::test]
async fn redirects() {
    let bootstrap = bootstrap()
        .listener(listener("main").route_list(&routes()))
        .listener(listener("tls").routes(TLS));
    check("redirects", bootstrap, cases()).await;
}
