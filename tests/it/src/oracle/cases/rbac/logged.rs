//! What the log says of each decision: which rules, what they decided, by which policy.

use tandem_harness::{Kind, Proxy, client, ports, wait};
use tempfile::TempDir;

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
const NETWORK: &str = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC";

/// The network filter lets everybody in, and would let nobody; then paths decide.
fn bootstrap(admin: u16, port: u16) -> String {
    let policy = |name: &str, permission: &str| {
        format!("{{{name}: {{permissions: [{{{permission}}}], principals: [{{any: true}}]}}}}")
    };
    let path = |prefix: &str| format!("url_path: {{path: {{prefix: {prefix}}}}}");
    format!(
        "
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: network
        typed_config: {{'@type': {NETWORK}, stat_prefix: net, rules: {{policies: {all}}}, shadow_rules: {{action: DENY, policies: {all}}}}}
      - name: http
        typed_config:
          '@type': {HCM}
          stat_prefix: http
          route_config: {{virtual_hosts: [{{name: v, domains: ['*'], routes: [{{match: {{prefix: /}}, direct_response: {{status: 200}}}}]}}]}}
          http_filters:
          - {{name: rbac, typed_config: {{'@type': {HTTP}, rules: {{action: DENY, policies: {keep}}}, shadow_rules: {{action: ALLOW, policies: {open}}}}}}}
          - {{name: router, typed_config: {{'@type': {ROUTER}}}}}
",
        all = policy("everybody", "any: true"),
        keep = policy("keep-out", &path("/admin")),
        open = policy("open", &path("/ok")),
    )
}

/// Rules, decision and policy of each line that says one.
fn decisions(log: &str) -> Vec<[String; 3]> {
    let word = |line: &str, after: &str| {
        let rest = line.split_once(after)?.1.trim_start_matches('"');
        let word = rest.split([' ', ',', '"']).next()?;
        Some(word.to_owned())
    };
    let one = |line: &str| {
        let rules = ["shadow", "enforced"]
            .into_iter()
            .find(|rules| line.contains(rules))?;
        let decision = ["allowed", "denied"]
            .into_iter()
            .find(|end| line.contains(end))?;
        let policy = word(line, "policy=").or_else(|| word(line, "matched policy "))?;
        Some([rules.to_owned(), decision.to_owned(), policy])
    };
    log.lines().filter_map(one).collect()
}

async fn said(kind: Kind) -> Vec<[String; 3]> {
    let folder = TempDir::new().unwrap();
    let (admin, port) = (ports::free(), ports::free());
    let (config, log) = (folder.path().join("b.yaml"), folder.path().join("log"));
    std::fs::write(&config, bootstrap(admin, port)).unwrap();
    let mut command = kind.command(&config);
    command
        .args(["--component-log-level", "rbac:debug", "--log-path"])
        .arg(&log);
    let _proxy = Proxy::launch(&format!("{kind:?}"), &mut command, folder, admin)
        .await
        .unwrap();
    for (path, status) in [("/ok", 200), ("/other", 200), ("/admin/x", 403)] {
        assert_eq!(
            client::h1::get(port, path).await.unwrap().0,
            status,
            "{kind:?} {path}"
        );
    }
    let read = || decisions(&std::fs::read_to_string(&log).unwrap_or_default());
    // Each request comes on a connection of its own: two lines for that, two for the request.
    assert!(
        wait::until(wait::PATIENCE, || read().len() >= 12).await,
        "{kind:?}: {:?}",
        read()
    );
    read()
}

/// Shadow rules and those that are enforced, of connections and of requests, as Envoy logs them.
#[tokio::test]
async fn decisions_are_logged_with_their_policy() {
    let (envoy, tandem) = tokio::join!(said(Kind::Envoy), said(Kind::Tandem));
    assert!(
        tandem.contains(&["enforced", "denied", "keep-out"].map(str::to_owned)),
        "{tandem:?}"
    );
    assert_eq!(tandem, envoy);
}
