//! Which route a request takes: domains, paths, headers, query parameters, gRPC.

use crate::oracle::{Case, bootstrap, check, get, grpc, listener, post, raw, send};

const ROUTES: &str = r#"
virtual_hosts:
- name: exact
  domains: ["exact.test", "exact.test:8080"]
  routes: [{match: {prefix: /}, name: exact, direct_response: {status: 200, body: {inline_string: exact}}}]
- name: suffix
  domains: ["*.example.test"]
  routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: suffix}}}]
- name: longer_suffix
  domains: ["*.deep.example.test", "*-bar.example.test"]
  routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: longer suffix}}}]
- name: prefix
  domains: ["www.*"]
  routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: prefix}}}]
- name: longer_prefix
  domains: ["www.foo.*"]
  routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: longer prefix}}}]
- name: none
  domains: ["none.test"]
- name: paths
  domains: ["paths.test"]
  routes:
  - {match: {path: /exact}, direct_response: {status: 200, body: {inline_string: path}}}
  - {match: {path: /Exact-Any-Case, case_sensitive: false}, direct_response: {status: 200, body: {inline_string: path any case}}}
  - {match: {prefix: /Any-Case/, case_sensitive: false}, direct_response: {status: 200, body: {inline_string: prefix any case}}}
  - {match: {path_separated_prefix: /sep}, direct_response: {status: 200, body: {inline_string: separated}}}
  - {match: {path_separated_prefix: /Sep-Any, case_sensitive: false}, direct_response: {status: 200, body: {inline_string: separated any case}}}
  - {match: {safe_regex: {regex: "/re/[0-9]+"}}, direct_response: {status: 200, body: {inline_string: regex}}}
  - {match: {safe_regex: {regex: "/re/a|b"}}, direct_response: {status: 200, body: {inline_string: alternatives}}}
  - {match: {safe_regex: {regex: "/dot.*end"}}, direct_response: {status: 200, body: {inline_string: dots}}}
  - {match: {prefix: /first}, direct_response: {status: 200, body: {inline_string: first}}}
  - {match: {prefix: /first/second}, direct_response: {status: 200, body: {inline_string: never}}}
  - {match: {prefix: "/query?x=1"}, direct_response: {status: 200, body: {inline_string: prefix with query}}}
  - {match: {prefix: /up}, route: {cluster: up}}
- name: clusters
  domains: ["clusters.test"]
  routes:
  - {match: {prefix: /named}, route: {cluster_header: x-cluster}}
  - match: {prefix: /weighted}
    route: {weighted_clusters: {clusters: [{name: up, weight: 0}, {name: up2, weight: 5}]}}
  - match: {prefix: /weighted-headers}
    route: {cluster: up}
  - {match: {prefix: /none}, route: {cluster_header: x-cluster, cluster_not_found_response_code: NOT_FOUND}}
  - {match: {prefix: /missing-500}, route: {cluster_header: x-cluster, cluster_not_found_response_code: INTERNAL_SERVER_ERROR}}
- name: direct
  domains: ["direct.test"]
  routes:
  - {match: {path: /204}, direct_response: {status: 204}}
  - {match: {path: /201}, direct_response: {status: 201, body: {inline_string: ""}}}
  - {match: {path: /503}, direct_response: {status: 503, body: {inline_string: "not now"}}}
  - {match: {path: /bytes}, direct_response: {status: 200, body: {inline_bytes: "aGVsbG8="}}}
  - {match: {path: /typed}, direct_response: {status: 200, body: {inline_string: "{}"}}, response_headers_to_add: [{header: {key: content-type, value: application/json}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]}
- name: grpc
  domains: ["grpc.test"]
  routes:
  - {match: {prefix: /, grpc: {}}, direct_response: {status: 200, body: {inline_string: grpc}}}
  - {match: {prefix: /}, direct_response: {status: 200, body: {inline_string: plain}}}
"#;

fn cases() -> Vec<Case> {
    let mut all = domains();
    all.extend(paths());
    all.extend(others());
    all
}

fn domains() -> Vec<Case> {
    vec![
        get("exact domain", "exact.test", "/"),
        get("exact domain in capitals", "EXACT.Test", "/"),
        get("exact domain with its port", "exact.test:8080", "/"),
        get("exact domain with another port", "exact.test:81", "/"),
        get("exact domain with a dot at its end", "exact.test.", "/"),
        get("suffix wildcard", "a.example.test", "/"),
        get("suffix wildcard, two labels", "a.b.example.test", "/"),
        get("suffix wildcard, capitals", "A.EXAMPLE.test", "/"),
        get("suffix wildcard needs something", ".example.test", "/"),
        get(
            "suffix wildcard does not match the bare domain",
            "example.test",
            "/",
        ),
        get("the longest suffix wins", "x.deep.example.test", "/"),
        get(
            "suffix wildcard inside a label",
            "foo-bar.example.test",
            "/",
        ),
        get(
            "suffix wildcard inside a label needs something",
            "-bar.example.test",
            "/",
        ),
        get("prefix wildcard", "www.test", "/"),
        get("prefix wildcard needs something", "www.", "/"),
        get("the longest prefix wins", "www.foo.test", "/"),
        get("suffix wins over prefix", "www.example.test", "/"),
        get(
            "suffix with a port does not match",
            "a.example.test:80",
            "/",
        ),
        get("no virtual host", "nobody.test", "/"),
        get("a virtual host without routes", "none.test", "/"),
        raw(
            "an address in brackets",
            "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        ),
        raw("an empty host", "GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    ]
}

fn paths() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "paths.test", path);
    vec![
        at("path", "/exact"),
        at("path with query", "/exact?a=b"),
        at("path with an empty query", "/exact?"),
        at("path with a slash more", "/exact/"),
        at("path in other case", "/EXACT"),
        at("path, case ignored", "/exact-any-case"),
        at("path, case ignored, with query", "/EXACT-any-CASE?x"),
        at("prefix, case ignored", "/any-case/x"),
        at("prefix, case ignored, capitals", "/ANY-CASE/X"),
        at("separated prefix", "/sep"),
        at("separated prefix and more", "/sep/x"),
        at("separated prefix and a slash", "/sep/"),
        at("separated prefix with query", "/sep?x=1"),
        at("separated prefix ends at a segment", "/separate"),
        at("separated prefix is case-sensitive", "/SEP/x"),
        at("separated prefix, case ignored", "/sep-any/x"),
        at("regex", "/re/123"),
        at("regex matches the whole path", "/re/123/x"),
        at("regex without the query", "/re/123?x=y"),
        at("regex alternatives are anchored both", "/re/a"),
        at("regex second alternative", "/re/b"),
        at("regex with an escaped line end", "/dot%0Aend"),
        at("regex over a semicolon", "/dot;x=1/end"),
        at("the first route wins", "/first/second"),
        at("a prefix sees no query", "/query?x=1"),
        at("an unknown path", "/nothing"),
        at("a route to an upstream", "/up/x?y=z"),
        at("a path with percent signs stays", "/up/%41%2f%zz"),
        at("a path with a semicolon stays", "/up/a;b=c/d"),
        at("a path with other characters stays", "/up/a'(b)*,!~@&=+$"),
        raw(
            "a path with bytes above 127",
            b"GET /up/\xc3\xa4 HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
        raw(
            "a path with a fragment",
            "GET /up/a#b HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
        raw(
            "a path with a double quote",
            "GET /up/\"a\" HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
        raw(
            "a path with braces",
            "GET /up/{a}|^?{b}|^` HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
        raw(
            "a path with a backtick",
            "GET /up/a` HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
        raw(
            "a path with a backslash",
            "GET /up\\a HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
        raw(
            "an asterisk",
            "OPTIONS * HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
        raw(
            "a path without a slash",
            "GET up HTTP/1.1\r\nHost: paths.test\r\n\r\n",
        ),
    ]
}

fn others() -> Vec<Case> {
    vec![
        get("the cluster of a header", "clusters.test", "/named").h("x-cluster", "up2"),
        get(
            "the cluster of a header that is absent",
            "clusters.test",
            "/named",
        ),
        get(
            "the cluster of a header that is unknown",
            "clusters.test",
            "/named",
        )
        .h("x-cluster", "nope"),
        get("an unknown cluster is 404", "clusters.test", "/none").h("x-cluster", "nope"),
        get("an unknown cluster is 500", "clusters.test", "/missing-500").h("x-cluster", "nope"),
        get(
            "an absent cluster header and a code",
            "clusters.test",
            "/none",
        ),
        get("weights of nought and five", "clusters.test", "/weighted").times(5),
        get("direct 204", "direct.test", "/204"),
        get("direct, empty body", "direct.test", "/201"),
        get("direct 503", "direct.test", "/503"),
        get("direct from bytes", "direct.test", "/bytes"),
        get("direct with a content type", "direct.test", "/typed"),
        send("direct for HEAD", "HEAD", "direct.test", "/503"),
        post(
            "direct for a request with a body",
            "direct.test",
            "/503",
            b"some body",
        ),
        send("a method that nobody knows", "BREW", "paths.test", "/up"),
        send("OPTIONS", "OPTIONS", "paths.test", "/up"),
        send("DELETE without a body", "DELETE", "paths.test", "/up"),
        send("TRACE", "TRACE", "paths.test", "/up"),
        get("grpc match: not grpc", "grpc.test", "/s/m"),
        grpc("grpc match", "grpc.test", "/s/m"),
        post("grpc match: a subtype", "grpc.test", "/s/m", b"")
            .h("content-type", "application/grpc+proto"),
        post("grpc match: web is not", "grpc.test", "/s/m", b"")
            .h("content-type", "application/grpc-web"),
        post("grpc match: parameters", "grpc.test", "/s/m", b"")
            .h("content-type", "application/grpc;x"),
        post("grpc match: capitals", "grpc.test", "/s/m", b"")
            .h("content-type", "Application/gRPC"),
    ]
}

#[tokio::test]
async fn routing() {
    let bootstrap = bootstrap().listener(listener("main").routes(ROUTES));
    check("routing", bootstrap, cases()).await;
}
