//! The network filter, before a TCP proxy and before HTTP.

use super::rules;
use crate::oracle::bootstrap::indent;
use crate::oracle::{Case, bootstrap, check, get, listener};

const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC";
const TCP: &str = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const LOG: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

/// Each listener and its rule: what is done, and by whom.
const LISTENERS: &[(&str, &str, &str, &str)] = &[
    ("main", "ALLOW", "any: true", "any: true"),
    ("nobody", "ALLOW", "any: true", "not_id: {any: true}"),
    ("everybody", "DENY", "any: true", "any: true"),
    ("audit", "LOG", "any: true", "any: true"),
    ("port", "ALLOW", "destination_port: {{port}}", "any: true"),
    (
        "other-port",
        "ALLOW",
        "destination_port: {{main}}",
        "any: true",
    ),
    (
        "ports",
        "DENY",
        "destination_port_range: {start: 1, end: 65536}",
        "any: true",
    ),
    (
        "ip",
        "ALLOW",
        "destination_ip: {address_prefix: 127.0.0.0, prefix_len: 8}",
        "any: true",
    ),
    (
        "source",
        "ALLOW",
        "any: true",
        "source_ip: {address_prefix: 127.0.0.1, prefix_len: 33}",
    ),
    (
        "remote",
        "DENY",
        "any: true",
        "remote_ip: {address_prefix: 0.0.0.0, prefix_len: 0}",
    ),
    (
        "direct",
        "DENY",
        "any: true",
        "direct_remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}",
    ),
    ("tls", "ALLOW", "any: true", "authenticated: {}"),
    (
        "not-tls",
        "ALLOW",
        "any: true",
        "not_id: {authenticated: {}}",
    ),
    (
        "sni",
        "ALLOW",
        "requested_server_name: {exact: a.test}",
        "any: true",
    ),
    (
        "no-sni",
        "DENY",
        "requested_server_name: {exact: ''}",
        "any: true",
    ),
    (
        "path",
        "ALLOW",
        "url_path: {path: {safe_regex: {regex: '.*'}}}",
        "any: true",
    ),
    (
        "metadata",
        "ALLOW",
        "metadata: {filter: f, path: [{key: a}], value: {present_match: true}}",
        "any: true",
    ),
];

fn filters(action: &str, permission: &str, principal: &str) -> String {
    let rules = rules(action, permission, principal);
    let log = format!(
        "[{{name: log, typed_config: {{\"@type\": {LOG}, path: \"{{{{log}}}}\", log_format: {{json_format: {{why: \"%CONNECTION_TERMINATION_DETAILS%\"}}}}}}}}]"
    );
    [
        "- name: rbac\n  typed_config:".to_owned(),
        indent(
            &format!("\"@type\": {RBAC}\nstat_prefix: net\nrules: {rules}"),
            4,
        ),
        "- name: tcp\n  typed_config:".to_owned(),
        indent(
            &format!("\"@type\": {TCP}\nstat_prefix: tcp\ncluster: up\naccess_log: {log}"),
            4,
        ),
    ]
    .join("\n")
}

fn cases() -> Vec<Case> {
    let refused = "a refused client is not connected to anything: Envoy waits for its first byte";
    let luck = "timing decides if a close with unread bytes is a reset";
    let case = |(name, ..): &(&'static str, &str, &str, &str)| {
        get(&format!("{name}: a request"), "any.test", "/")
            .on(name)
            .h1()
            .differs("upstream.", refused)
            .differs("end", luck)
    };
    LISTENERS.iter().map(case).collect()
}

#[tokio::test]
async fn rbac_connections() {
    let mut bootstrap = bootstrap();
    for (name, action, permission, principal) in LISTENERS {
        let filters = filters(action, permission, principal);
        bootstrap = bootstrap.listener(listener(name).network_filters(&filters));
    }
    check("rbac-connections", bootstrap, cases()).await;
}
