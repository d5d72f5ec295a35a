//! Ports in hosts: stripped, ignored, kept; dots at the end of hosts.

use crate::oracle::{Case, bootstrap, check, get, listener};

const HOSTS: &str = r#"
virtual_hosts:
- {name: bare, domains: [bare.test], routes: [{match: {prefix: /}, route: {cluster: up}, name: bare}]}
- {name: port, domains: ["port.test:81"], routes: [{match: {prefix: /}, route: {cluster: up}, name: port}]}
- {name: wild, domains: ["*.wild.test"], routes: [{match: {prefix: /}, route: {cluster: up}, name: wild}]}
- {name: address, domains: ["[::1]", "127.0.0.1"], routes: [{match: {prefix: /}, route: {cluster: up}, name: address}]}
- {name: auto, domains: ["redirect.test"], routes: [{match: {prefix: /}, redirect: {path_redirect: /r}}]}
"#;

const LISTENERS: &[(&str, &str)] = &[
    ("main", ""),
    ("any", "strip_any_host_port: true"),
    ("matching", "strip_matching_host_port: true"),
    ("dot", "strip_trailing_host_dot: true"),
    (
        "any-and-dot",
        "strip_any_host_port: true\nstrip_trailing_host_dot: true",
    ),
];

const NAMES: &[&str] = &[
    "bare.test",
    "bare.test:80",
    "bare.test:443",
    "bare.test:81",
    "bare.test:{{main}}",
    "bare.test:{{matching}}",
    "bare.test:",
    "bare.test:abc",
    "bare.test:99999",
    "port.test:81",
    "port.test",
    "a.wild.test:80",
    "127.0.0.1:80",
    "[::1]:80",
    "[::1]",
    "bare.test.",
    "bare.test.:80",
    "redirect.test:80",
    "redirect.test:81",
];

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for listener in LISTENERS.iter().map(|(name, _)| *name).chain(["ignore"]) {
        for host in NAMES {
            // HTTP/2 clients of proper manners do not send what is no authority.
            let odd = host.ends_with(':') || host.ends_with("abc") || host.ends_with("99999");
            let case = get(&format!("{listener}: {host}"), host, "/").on(listener);
            all.push(if odd || listener == "ignore" {
                case.h1()
            } else {
                case
            });
        }
    }
    all
}

#[tokio::test]
async fn ports() {
    let mut bootstrap = bootstrap();
    for (name, hcm) in LISTENERS {
        bootstrap = bootstrap.listener(listener(name).hcm(hcm).routes(HOSTS));
    }
    let ignoring = format!(
        "ignore_port_in_host_matching: true\n{}",
        HOSTS.replace("\"port.test:81\"", "port.test")
    );
    bootstrap = bootstrap.listener(listener("ignore").routes(&ignoring));
    check("ports", bootstrap, cases()).await;
}
