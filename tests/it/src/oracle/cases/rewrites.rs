//! Rewrites of path and host on the way to the upstream.

use crate::oracle::{Case, bootstrap, check, get, listener, raw, send};

const ROUTES: &str = r#"
- {match: {prefix: /prefix/}, route: {cluster: up, prefix_rewrite: /}}
- {match: {prefix: /longer}, route: {cluster: up, prefix_rewrite: /much/longer}}
- {match: {prefix: /bare}, route: {cluster: up, prefix_rewrite: ""}}
- {match: {path: /path}, route: {cluster: up, prefix_rewrite: /whole}}
- {match: {prefix: /Case/, case_sensitive: false}, route: {cluster: up, prefix_rewrite: /other/}}
- {match: {path_separated_prefix: /sep}, route: {cluster: up, prefix_rewrite: /s}}
- {match: {path_separated_prefix: /root}, route: {cluster: up, prefix_rewrite: /}}
- {match: {safe_regex: {regex: "/reg.*"}}, route: {cluster: up, prefix_rewrite: /x}}
- {match: {prefix: /query}, route: {cluster: up, prefix_rewrite: "/q?a=b"}}
- {match: {prefix: /literal}, route: {cluster: up, host_rewrite_literal: "literal.test:8080"}}
- {match: {prefix: /header}, route: {cluster: up, host_rewrite_header: x-host}}
- {match: {prefix: /forwarded}, route: {cluster: up, host_rewrite_literal: literal.test, append_x_forwarded_host: true}}
- {match: {prefix: /auto-forwarded}, route: {cluster: dns, auto_host_rewrite: true, append_x_forwarded_host: true}}
- {match: {prefix: /auto}, route: {cluster: dns, auto_host_rewrite: true}}
- {match: {prefix: /static-auto}, route: {cluster: up, auto_host_rewrite: true}}
- {match: {prefix: /no-auto}, route: {cluster: dns, auto_host_rewrite: false}}
- {match: {prefix: /both}, route: {cluster: up, prefix_rewrite: /b, host_rewrite_literal: both.test}}
- {match: {prefix: /h2/}, route: {cluster: up_h2, prefix_rewrite: /, host_rewrite_literal: h2.test}}
- match: {prefix: /weighted}
  route: {weighted_clusters: {clusters: [{name: up, weight: 1, host_rewrite_literal: weighted.test}]}}
- {match: {prefix: /kept}, route: {cluster: up}}
- {match: {prefix: /format/}, route: {cluster: up, path_rewrite: "/new/%REQ(x-v)%%REQ(:path)%"}}
- {match: {prefix: /format-only}, route: {cluster: up, path_rewrite: "%REQ(x-v)%"}}
- {match: {prefix: /format-query}, route: {cluster: up, path_rewrite: "/new?a=%REQ(x-v)%"}}
- {match: {prefix: /format-empty}, route: {cluster: up, path_rewrite: ""}}
- {match: {prefix: /format-host/}, route: {cluster: up, host_rewrite: "pre-%REQ(x-v)%"}}
- {match: {prefix: /format-host-only}, route: {cluster: up, host_rewrite: "%REQ(x-v)%"}}
- {match: {prefix: /format-host-literal}, route: {cluster: up, host_rewrite: "other.test:99"}}
- {match: {prefix: /format-host-empty}, route: {cluster: up, host_rewrite: ""}}
- match: {prefix: /format-after-edits}
  route: {cluster: up, host_rewrite: "%REQ(x-new)%.%REQ(:authority)%", path_rewrite: "/%REQ(x-new)%/%REQ(:authority)%"}
  request_headers_to_add: [{header: {key: x-new, value: "new-%REQ(:method)%"}}]
"#;

/// The paths of routes that rewrite by a format.
const FORMATS: &[&str] = &[
    "/format/x",
    "/format-only",
    "/format-query/x",
    "/format-empty",
    "/format-host/x",
    "/format-host-only",
    "/format-host-literal",
    "/format-host-empty",
    "/format-after-edits",
];

const DNS: &str = "
- name: dns
  type: STRICT_DNS
  load_assignment:
    cluster_name: dns
    endpoints:
    - lb_endpoints:
      - endpoint: {address: {socket_address: {address: localhost, port_value: {{up}}}}}
  dns_lookup_family: V4_ONLY
";

fn cases() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "any.test", path);
    let mut all = vec![
        at("prefix", "/prefix/a/b"),
        at("prefix and nothing more", "/prefix/"),
        at("prefix with a query", "/prefix/a?b=c"),
        at("prefix with a query only", "/prefix/?b=c"),
        at("a longer prefix", "/longer/x"),
        at("a longer prefix, glued", "/longerx"),
        at("an empty prefix", "/bare/x"),
        at("an empty prefix is the whole path", "/bare"),
        at("a path", "/path"),
        at("a path with a query", "/path?x=y"),
        at("in any case", "/cAsE/x"),
        at("separated", "/sep/x"),
        at("separated, whole", "/sep"),
        at("separated with a query", "/sep?x"),
        at("separated to the root", "/root/x"),
        at("separated to the root, whole", "/root"),
        at("behind a regex", "/reg/abc?x=1"),
        at("with a query in the rewrite", "/query/x?c=d"),
        at("an encoded rest stays", "/prefix/%2e%2F%41"),
        at("host literal", "/literal"),
        at("host literal keeps a client's x-forwarded-host", "/literal")
            .h("x-forwarded-host", "old.test"),
        at("host from a header", "/header").h("x-host", "fromheader.test:1"),
        at("host from an absent header", "/header"),
        at("host from an empty header", "/header").h("x-host", ""),
        at("host from a header given twice", "/header")
            .h("x-host", "a.test")
            .h("x-host", "b.test"),
        at("host of the endpoint", "/auto"),
        at("host of a static endpoint", "/static-auto"),
        at("host kept", "/no-auto"),
        at("path and host", "/both/x"),
        at("to HTTP/2", "/h2/a?b"),
        at("host of a weighted cluster", "/weighted"),
        at("a client's x-envoy-original-path", "/prefix/a").h("x-envoy-original-path", "/lie"),
        at(
            "a client's x-envoy-original-path without a rewrite",
            "/kept",
        )
        .h("x-envoy-original-path", "/lie"),
        at("a client's x-envoy-original-host", "/literal").h("x-envoy-original-host", "lie"),
        send("a rewrite of POST", "POST", "any.test", "/prefix/a").body(b"body"),
        raw(
            "an absolute target",
            "GET http://abs.test:81/prefix/a?b HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
        raw(
            "an absolute target without a path",
            "GET http://abs.test HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
        raw(
            "an absolute target with a query only",
            "GET http://abs.test?x HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
        raw(
            "an absolute target of https",
            "GET https://abs.test/kept HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
        raw(
            "an absolute target of another scheme",
            "GET ftp://abs.test/kept HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
        raw(
            "an absolute target in capitals",
            "GET HTTP://ABS.test/kept HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
        raw(
            "an absolute target with a user",
            "GET http://user@abs.test/kept HTTP/1.1\r\nHost: any.test\r\n\r\n",
        ),
    ];
    for path in ["/forwarded", "/auto-forwarded"] {
        all.push(at(&format!("{path}: the first host"), path));
        for given in [
            &["z"][..],
            &["any.test"],
            &["z,any.test"],
            &["z, any.test"],
            &["any.test,z"],
            &["y", "z"],
            &["z", "any.test"],
            &[""],
        ] {
            let case = at(&format!("{path}: a host behind {given:?}"), path);
            let case = given
                .iter()
                .fold(case, |case, host| case.h("x-forwarded-host", host));
            all.push(case);
        }
    }
    for path in FORMATS {
        let target = format!("{path}?q=1");
        all.push(at(&format!("{path} without the header"), &target));
        let (usual, odd): (&[&str], &[&str]) = if path.contains("host") {
            (&["v1", "v1:80", ""], &["a/b?c=d", "with space", "#f"])
        } else {
            let odd = &["v1", "/with space", "/\"quoted\"<>", "/#f"];
            (&["/v1", "/a/b?c=d", "/%2f", ""], odd)
        };
        for value in usual {
            all.push(at(&format!("{path} with {value:?}"), &target).h("x-v", value));
        }
        for value in odd {
            all.push(at(&format!("an odd value, {path}: {value:?}"), &target).h("x-v", value));
        }
    }
    all
}

#[tokio::test]
async fn rewrites() {
    let bootstrap = bootstrap()
        .clusters(DNS)
        .listener(listener("main").route_list(ROUTES));
    check("rewrites", bootstrap, cases()).await;
}
