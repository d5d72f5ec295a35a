//! The TCP proxy: bytes as they are, what a client sees when there is no upstream, and what is
//! logged of both.

use crate::oracle::{Case, access_log, bootstrap, check, get, indent, listener, post, raw};

/// What a log says only of connections that lead somewhere, or of those that are no requests.
const MORE: &str = r#"
attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"
failure: "%UPSTREAM_TRANSPORT_FAILURE_REASON%"
remote_host: "%UPSTREAM_REMOTE_ADDRESS%"
type: "%ACCESS_LOG_TYPE%"
"#;

fn proxy(fields: &str) -> String {
    let log = indent(&access_log(MORE), 4);
    format!(
        "- name: envoy.filters.network.tcp_proxy\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n    stat_prefix: tcp\n    {fields}\n    access_log:\n{log}"
    )
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let window = "how often an HTTP/2 client opens its window is a matter of luck";
    for listener in ["main", "dead", "empty", "weighted", "idle"] {
        let at =
            |name: &str| get(&format!("{listener}: {name}"), "any.test", "/").on(named(listener));
        all.extend([
            at("plain"),
            at("a megabyte")
                .script("200 body=1000000")
                .differs("log.0.bytes", window),
            at("the upstream closes").script("200 close").h1(),
            at("the upstream hangs up").script("200 hangup").h1(),
            at("the upstream breaks off").script("200 body=4000 break=mid"),
            at("slow").script("200 delay=500"),
        ]);
    }
    all.push(
        post("a body", "any.test", "/", &[b'x'; 200_000])
            .chunked()
            .script("200 echo")
            .differs("log.0.bytes", window),
    );
    all.push(raw("not HTTP at all", "GET  /  HTTP/1.1\r\n a b\r\n\r\n").racy());
    all
}

fn named(listener: &'static str) -> &'static str {
    match listener {
        "dead" => "to-dead",
        "empty" => "to-empty",
        other => other,
    }
}

#[tokio::test]
async fn tcp() {
    let with = |name, fields: &str| listener(name).network_filters(&proxy(fields));
    let bootstrap = bootstrap()
        .listener(with("main", "cluster: up"))
        .listener(with("to-dead", "cluster: dead"))
        .listener(with("to-empty", "cluster: empty"))
        .listener(with(
            "weighted",
            "weighted_clusters: {clusters: [{name: up2, weight: 1}]}",
        ))
        .listener(with("idle", "cluster: up\n    idle_timeout: 0.2s"));
    let luck = "timing decides if a close with unread bytes is a reset";
    let cases = cases()
        .into_iter()
        .map(|case| case.differs("end", luck))
        .collect();
    check("tcp", bootstrap, cases).await;
}
