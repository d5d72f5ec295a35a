//! Scoped routes that stand in the connection manager: which requests take which scope.

use crate::oracle::{Case, bootstrap, check, get, listener};

/// A scope with routes of its own, which name the scope.
fn scope(name: &str, fragments: &str) -> String {
    let keys = fragments.split('|');
    let keys: Vec<String> = keys
        .map(|key| format!("{{string_key: \"{key}\"}}"))
        .collect();
    format!(
        "    - name: {name}\n      key: {{fragments: [{}]}}\n      route_configuration:\n        name: {name}\n        virtual_hosts:\n        - {{name: {name}, domains: [\"*\"], routes: [{{match: {{prefix: /}}, route: {{cluster: up}}, name: {name}}}]}}\n",
        keys.join(", ")
    )
}

fn scopes(builders: &[&str], scopes: &[(&str, &str)]) -> String {
    let builder = |extractor: &&str| format!("  - header_value_extractor: {extractor}\n");
    let builders: String = builders.iter().map(builder).collect();
    let scopes: String = (scopes.iter())
        .map(|(name, fragments)| scope(name, fragments))
        .collect();
    format!(
        "name: scopes\nscope_key_builder:\n  fragments:\n{builders}scoped_route_configurations_list:\n    scoped_route_configurations:\n{scopes}"
    )
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for value in ["a", "b", "A", "", "a,b", "a b", "c", "a;"] {
        for listener in ["main", "list", "pairs"] {
            let case = get(&format!("{listener}: '{value}'"), "h.test", "/");
            all.push(case.h("x-scope", value).on(listener));
        }
    }
    for value in [
        "n=1,v=a", "v=a", "v=b,v=a", "v", "v=", "v=a=b", "w=a", "V=a", "n=1, v=a", "v=a,",
    ] {
        let case = get(&format!("pairs: '{value}'"), "h.test", "/");
        all.push(case.h("x-scope", value).on("pairs"));
    }
    for listener in ["main", "list", "pairs", "two", "host", "path"] {
        all.push(get(&format!("{listener}: none"), "h.test", "/").on(listener));
    }
    let twice = get("main: two headers", "h.test", "/");
    all.push(twice.h("x-scope", "b").h("x-scope", "a"));
    for (scope, other) in [("a", "b"), ("b", "a"), ("a", ""), ("", "a"), ("ab", "")] {
        let case = get(&format!("two: '{scope}' '{other}'"), "h.test", "/").on("two");
        all.push(case.h("x-scope", scope).h("x-other", other));
    }
    for host in ["a.test", "A.test", "a.test:80", "b.test"] {
        all.push(get(&format!("host: {host}"), host, "/").on("host"));
    }
    for path in ["/a", "/a?x", "/a/../a", "//a", "/b"] {
        all.push(get(&format!("path: {path}"), "h.test", path).on("path"));
    }
    all
}

#[tokio::test]
async fn scoped_routes() {
    let (a, b) = (("a", "a"), ("b", "b"));
    let bootstrap = bootstrap()
        .listener(listener("main").scopes(&scopes(
            &["{name: X-Scope, index: 0}"],
            &[a, b, ("empty", "")],
        )))
        .listener(listener("list").scopes(&scopes(
            &["{name: x-scope, element_separator: \",\", index: 1}"],
            &[a, b],
        )))
        .listener(listener("pairs").scopes(&scopes(
            &["{name: x-scope, element_separator: \",\", element: {separator: \"=\", key: v}}"],
            &[a, b, ("empty", ""), ("both", "a=b")],
        )))
        .listener(listener("two").scopes(&scopes(
            &["{name: x-scope, index: 0}", "{name: x-other, index: 0}"],
            &[("ab", "a|b"), ("ba", "b|a"), ("half", "a|"), ("one", "ab")],
        )))
        .listener(
            listener("host")
                .hcm("strip_any_host_port: true")
                .scopes(&scopes(
                    &["{name: Host, index: 0}"],
                    &[("a", "a.test"), ("port", "a.test:80")],
                )),
        )
        .listener(
            listener("path")
                .hcm("normalize_path: true\nmerge_slashes: true")
                .scopes(&scopes(&["{name: \":path\", index: 0}"], &[("a", "/a")])),
        );
    check("scopes", bootstrap, cases()).await;
}
