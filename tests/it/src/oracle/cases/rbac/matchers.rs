//! Every condition, as a permission or a principal, one a route.

use super::{filter, of_route, rules};
use crate::oracle::{Case, bootstrap, check, get, grpc, listener, post, raw, send};

/// What is done: the name of the route, and the permission.
const PERMISSIONS: &[(&str, &str)] = &[
    ("any", "any: true"),
    ("none", "not_rule: {any: true}"),
    (
        "get",
        "header: {name: ':method', string_match: {exact: GET}}",
    ),
    (
        "both",
        "and_rules: {rules: [{header: {name: x-m}}, {header: {name: ':method', string_match: {exact: GET}}}]}",
    ),
    (
        "one",
        "or_rules: {rules: [{header: {name: x-m}}, {header: {name: ':method', string_match: {exact: POST}}}]}",
    ),
    (
        "not",
        "not_rule: {header: {name: x-m, string_match: {exact: value}}}",
    ),
    (
        "not-not",
        "not_rule: {not_rule: {header: {name: x-m, string_match: {exact: value}}}}",
    ),
    ("exact", "header: {name: x-m, string_match: {exact: value}}"),
    (
        "not-exact",
        "header: {name: x-m, string_match: {exact: value}, invert_match: true}",
    ),
    (
        "any-case",
        "header: {name: X-M, string_match: {exact: VALUE, ignore_case: true}}",
    ),
    ("prefix", "header: {name: x-m, string_match: {prefix: val}}"),
    ("suffix", "header: {name: x-m, string_match: {suffix: lue}}"),
    (
        "contains",
        "header: {name: x-m, string_match: {contains: alu}}",
    ),
    (
        "not-contains",
        "header: {name: x-m, string_match: {contains: alu}, invert_match: true}",
    ),
    (
        "regex",
        "header: {name: x-m, string_match: {safe_regex: {regex: '.*alu.*'}}}",
    ),
    (
        "byte",
        "header: {name: x-m, string_match: {safe_regex: {regex: '.value'}}}",
    ),
    (
        "not-regex",
        "header: {name: x-m, string_match: {safe_regex: {regex: '[a-z]+'}}, invert_match: true}",
    ),
    ("present", "header: {name: x-m, present_match: true}"),
    ("absent", "header: {name: x-m, present_match: false}"),
    (
        "not-present",
        "header: {name: x-m, present_match: true, invert_match: true}",
    ),
    (
        "empty",
        "header: {name: x-m, string_match: {exact: ''}, treat_missing_header_as_empty: true}",
    ),
    (
        "not-empty",
        "header: {name: x-m, string_match: {exact: value}, invert_match: true, treat_missing_header_as_empty: true}",
    ),
    (
        "range",
        "header: {name: x-m, range_match: {start: 5, end: 10}}",
    ),
    ("old", "header: {name: x-m, exact_match: value}"),
    ("path", "url_path: {path: {exact: /path/a}}"),
    (
        "path-case",
        "url_path: {path: {prefix: /PATH-case/, ignore_case: true}}",
    ),
    (
        "path-regex",
        "url_path: {path: {safe_regex: {regex: '/path-regex/[a-c]+'}}}",
    ),
    (
        "header-path",
        "header: {name: ':path', string_match: {exact: '/header-path?x=1'}}",
    ),
    (
        "ip",
        "destination_ip: {address_prefix: 127.0.0.0, prefix_len: 8}",
    ),
    (
        "other-ip",
        "destination_ip: {address_prefix: 10.0.0.0, prefix_len: 8}",
    ),
    (
        "v6",
        "destination_ip: {address_prefix: '::', prefix_len: 0}",
    ),
    ("port", "destination_port: {{main}}"),
    ("other-port", "destination_port: 1"),
    ("ports", "destination_port_range: {start: 1024, end: 65536}"),
    ("low-ports", "destination_port_range: {start: 1, end: 1024}"),
    (
        "metadata",
        "metadata: {filter: f, path: [{key: a}], value: {present_match: true}}",
    ),
    (
        "no-metadata",
        "metadata: {filter: f, path: [{key: a}], value: {present_match: true}, invert: true}",
    ),
    (
        "null-metadata",
        "metadata: {filter: f, path: [{key: a}], value: {null_match: {}}}",
    ),
    (
        "empty-metadata",
        "metadata: {filter: f, path: [{key: a}], value: {string_match: {exact: ''}}}",
    ),
    (
        "any-metadata",
        "sourced_metadata: {metadata_matcher: {filter: f, path: [{key: a}], value: {string_match: {suffix: e}}}}",
    ),
    ("sni", "requested_server_name: {exact: any.test}"),
    ("no-sni", "requested_server_name: {exact: ''}"),
    (
        "authority",
        "header: {name: ':authority', string_match: {exact: any.test}}",
    ),
    (
        "host",
        "header: {name: host, string_match: {exact: any.test}}",
    ),
    (
        "scheme",
        "header: {name: ':scheme', string_match: {exact: http}}",
    ),
];

/// Who does it.
const PRINCIPALS: &[(&str, &str)] = &[
    ("id-none", "not_id: {any: true}"),
    (
        "id-both",
        "and_ids: {ids: [{any: true}, {header: {name: x-m}}]}",
    ),
    (
        "id-one",
        "or_ids: {ids: [{not_id: {any: true}}, {header: {name: x-m}}]}",
    ),
    ("id-not-header", "not_id: {header: {name: x-m}}"),
    ("id-path", "url_path: {path: {suffix: /a}}"),
    ("id-tls", "authenticated: {}"),
    (
        "id-name",
        "authenticated: {principal_name: {safe_regex: {regex: '.*'}}}",
    ),
    ("id-not-tls", "not_id: {authenticated: {}}"),
    (
        "id-source",
        "source_ip: {address_prefix: 127.0.0.1, prefix_len: 32}",
    ),
    (
        "id-direct",
        "direct_remote_ip: {address_prefix: 127.0.0.1, prefix_len: 32}",
    ),
    (
        "id-direct-other",
        "direct_remote_ip: {address_prefix: 192.0.2.0, prefix_len: 24}",
    ),
    (
        "id-remote",
        "remote_ip: {address_prefix: 192.0.2.0, prefix_len: 24}",
    ),
    (
        "id-remote-loopback",
        "remote_ip: {address_prefix: 127.0.0.0, prefix_len: 8}",
    ),
    (
        "id-remote-v6",
        "remote_ip: {address_prefix: '2001:db8::', prefix_len: 32}",
    ),
    (
        "id-metadata",
        "metadata: {filter: f, path: [{key: a}], value: {bool_match: false}}",
    ),
];

/// Fields that a proxy adds, takes away or keeps to itself: does a rule see them?
const FIELDS: &[&str] = &[
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
    "x-envoy-internal",
    "x-envoy-external-address",
    "x-envoy-original-path",
    "x-envoy-expected-rq-timeout-ms",
    "content-length",
    "transfer-encoding",
    "content-type",
    "connection",
    "te",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "expect",
    "cookie",
    "user-agent",
    "trailer",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-timeout-ms",
    "x-forwarded-host",
    "via",
];

const NOTHING_TO_FRAME: &str = "an answer to HEAD has no body, and so nothing to be framed";
const BODY_READ: &str =
    "the request's body was read: an early answer does not cost the client its connection";

fn routes() -> String {
    let mut yaml = String::new();
    let mut add = |name: &str, rules: String| {
        yaml.push_str(&format!(
            "- {{match: {{prefix: /{name}/}}, direct_response: {{status: 200}}, {}}}\n",
            of_route(&rules)
        ));
    };
    for (name, permission) in PERMISSIONS {
        add(name, rules("ALLOW", permission, "any: true"));
        add(
            &format!("deny-{name}"),
            rules("DENY", permission, "any: true"),
        );
    }
    for (name, principal) in PRINCIPALS {
        add(name, rules("ALLOW", "any: true", principal));
        add(
            &format!("deny-{name}"),
            rules("DENY", "any: true", principal),
        );
    }
    for name in FIELDS {
        let field = format!("header: {{name: {name}}}");
        add(&format!("field-{name}"), rules("DENY", &field, "any: true"));
    }
    yaml.push_str("- {match: {prefix: /}, direct_response: {status: 202}}\n");
    yaml.replace("/header-path/}", "/header-path}")
}

fn headers(name: &str) -> Vec<Case> {
    let path = format!("/{name}/a");
    let at = |said: &str| get(&format!("{name}: {said}"), "any.test", &path);
    let mut all = vec![
        at("nothing"),
        at("value").h("x-m", "value"),
        at("another").h("x-m", "other").h1(),
        at("upper case").h("x-m", "VALUE").h1(),
        at("empty").h("x-m", "").h1(),
        at("blanks").h("x-m", " value ").h1(),
        at("a number").h("x-m", "7").h1(),
        at("value, other").h("x-m", "value").h("x-m", "other"),
        at("other, value").h("x-m", "other").h("x-m", "value"),
        at("other, another")
            .h("x-m", "other")
            .h("x-m", "another")
            .h1(),
        at("in one field").h("x-m", "other,value").h1(),
    ];
    for bytes in [&b"value\xff"[..], b"\xffvalue", b"\xc3\xa9value"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: any.test\r\nx-m: ");
        let request = [head.as_bytes(), bytes, b"\r\n\r\n"].concat();
        all.push(raw(&format!("{name}: {bytes:02x?}"), request));
    }
    all
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, rule) in PERMISSIONS.iter().chain(PRINCIPALS) {
        for name in [(*name).to_owned(), format!("deny-{name}")] {
            if rule.contains("x-m") || rule.contains("X-M") {
                all.extend(headers(&name));
            } else {
                let path = |end: &str| format!("/{name}/{end}");
                all.push(get(&format!("{name}: GET"), "any.test", &path("a")));
                all.push(send(
                    &format!("{name}: POST"),
                    "POST",
                    "any.test",
                    &path("a"),
                ));
                let head = send(&format!("{name}: HEAD"), "HEAD", "any.test", &path("a"));
                all.push(head.differs("header.transfer-encoding", NOTHING_TO_FRAME));
                all.push(get(
                    &format!("{name}: another"),
                    "Other.test",
                    &path("b?x=1"),
                ));
                let upper = path("A").to_uppercase();
                all.push(get(&format!("{name}: upper case"), "any.test", &upper).h1());
            }
            if rule.contains("remote") {
                all.extend(forwarded(&name));
            }
        }
    }
    all.extend(
        ["/header-path?x=1", "/header-path?x=2", "/header-path"]
            .map(|path| get(path, "any.test", path)),
    );
    for name in FIELDS {
        all.extend(field(name));
    }
    all.push(grpc("a refused call", "any.test", "/none/m"));
    all.push(grpc("a call that passes", "any.test", "/any/m"));
    all.push(
        post("a refused body", "any.test", "/none/a", &[b'x'; 100_000])
            .chunked()
            .h2(),
    );
    all
}

/// `x-forwarded-for`, where it is believed and where it is not.
fn forwarded(name: &str) -> Vec<Case> {
    let mut all = Vec::new();
    for listener in ["main", "edge", "hops"] {
        for said in [
            "192.0.2.7",
            "2001:db8::1",
            "192.0.2.7, 10.0.0.1",
            "10.0.0.1, 192.0.2.7",
            "x",
            "",
        ] {
            all.push(
                get(
                    &format!("{listener}: {name}: {said:?}"),
                    "any.test",
                    &format!("/{name}/a"),
                )
                .h("x-forwarded-for", said)
                .on(listener)
                .h1(),
            );
        }
        let path = format!("/{name}/a");
        all.push(
            get(
                &format!("{listener}: {name}: two fields"),
                "any.test",
                &path,
            )
            .h("x-forwarded-for", "10.0.0.1")
            .h("x-forwarded-for", "192.0.2.7")
            .on(listener)
            .h1(),
        );
    }
    all
}

fn field(name: &str) -> Vec<Case> {
    let path = format!("/field-{name}/a");
    let mut all = vec![get(&format!("{name}: not sent"), "any.test", &path)];
    let value = match name {
        "content-length" => "0",
        "transfer-encoding" => return all.into_iter().chain([chunked(&path)]).collect(),
        "te" => "trailers",
        "connection" | "proxy-connection" => "keep-alive",
        "upgrade" => return all,
        "expect" => "100-continue",
        "x-forwarded-for" => "192.0.2.7",
        "x-forwarded-proto" => "https",
        _ => "some",
    };
    let sent = get(&format!("{name}: sent"), "any.test", &path).h(name, value);
    let one_wire = [
        "connection",
        "proxy-connection",
        "keep-alive",
        "content-length",
        "expect",
    ];
    all.push(if one_wire.contains(&name) {
        sent.h1()
    } else {
        sent
    });
    if name == "cookie" {
        all.push(
            get("cookie: crumbs", "any.test", &path)
                .h("cookie", "a=1")
                .h("cookie", "b=2"),
        );
    }
    all
}

fn chunked(path: &str) -> Case {
    post("transfer-encoding: chunked", "any.test", path, b"body")
        .chunked()
        .h1()
        .differs("connection", BODY_READ)
        .differs("header.connection", BODY_READ)
}

#[tokio::test]
async fn rbac_matchers() {
    let listed = filter("rbac", "");
    let with = |name, hcm: &str| {
        listener(name)
            .hcm(hcm)
            .filters(&listed)
            .route_list(&routes())
    };
    let bootstrap = bootstrap()
        .listener(with("main", ""))
        .listener(with("edge", "use_remote_address: true"))
        .listener(with(
            "hops",
            "use_remote_address: true\nxff_num_trusted_hops: 1",
        ));
    check("rbac-matchers", bootstrap, cases()).await;
}
