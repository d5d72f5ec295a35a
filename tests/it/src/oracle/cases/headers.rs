//! Headers added and removed at each level, with Envoy's operators.

use crate::oracle::{Case, bootstrap, check, get, listener, post};

/// A request and a response header for each operator.
const OPERATORS: &[(&str, &str)] = &[
    ("protocol", "%PROTOCOL%"),
    ("remote", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("remote-port", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("direct", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("local", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("local-address", "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"),
    ("local-port", "%DOWNSTREAM_LOCAL_PORT%"),
    ("req", "%REQ(x-given)%"),
    (
        "req-pseudo",
        "%REQ(:path)% %REQ(:method)% %REQ(:authority)% %REQ(:scheme)%",
    ),
    ("req-or", "%REQ(x-absent?x-given)%"),
    ("req-absent", "%REQ(x-absent)%"),
    ("req-long", "%REQ(x-given):3%"),
    ("mixed", "a-%REQ(x-given)%-b"),
    ("percent", "100%%"),
    ("route", "%ROUTE_NAME%"),
    ("cluster", "%UPSTREAM_CLUSTER%"),
    ("request-id", "%REQ(x-request-id)%"),
    ("two", "%PROTOCOL%/%ROUTE_NAME%"),
];

fn operators() -> String {
    let list = |kind: &str| {
        let line = |(name, value): &(&str, &str)| {
            format!("    - {{header: {{key: x-{kind}-{name}, value: '{value}'}}}}\n")
        };
        OPERATORS.iter().map(line).collect::<String>()
    };
    format!(
        "- match: {{prefix: /operators}}\n  name: named\n  route: {{cluster: up}}\n  request_headers_to_add:\n{}  response_headers_to_add:\n{}    - {{header: {{key: x-code, value: '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESP(x-up)% %UPSTREAM_HOST% %RESPONSE_CODE_DETAILS%'}}}}\n",
        list("q").replace("    -", "  -"),
        list("s")
    )
    .replace("    -", "  -")
}

const LEVELS: &str = r#"
request_headers_to_add:
- {header: {key: x-order, value: config}}
- {header: {key: x-over, value: config}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
request_headers_to_remove: [x-remove-config]
response_headers_to_add:
- {header: {key: x-order, value: config}}
- {header: {key: x-over, value: config}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
response_headers_to_remove: [x-drop-config]
"#;

const HOSTS: &str = r#"
virtual_hosts:
- name: all
  domains: ["*"]
  request_headers_to_add:
  - {header: {key: x-order, value: host}}
  - {header: {key: x-over, value: host}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
  request_headers_to_remove: [x-remove-host]
  response_headers_to_add:
  - {header: {key: x-order, value: host}}
  - {header: {key: x-over, value: host}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
  response_headers_to_remove: [x-drop-host]
  routes:
"#;

const ROUTES: &str = r#"
- match: {prefix: /levels}
  route: {cluster: up}
  request_headers_to_add:
  - {header: {key: x-order, value: route}}
  - {header: {key: x-over, value: route}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
  request_headers_to_remove: [x-remove-route]
  response_headers_to_add:
  - {header: {key: x-order, value: route}}
  - {header: {key: x-over, value: route}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
  response_headers_to_remove: [x-drop-route]
- match: {prefix: /actions}
  route: {cluster: up}
  request_headers_to_add:
  - {header: {key: x-append, value: new}, append_action: APPEND_IF_EXISTS_OR_ADD}
  - {header: {key: x-absent, value: new}, append_action: ADD_IF_ABSENT}
  - {header: {key: x-set, value: new}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
  - {header: {key: x-exists, value: new}, append_action: OVERWRITE_IF_EXISTS}
  - {header: {key: x-empty, value: ""}}
  - {header: {key: x-kept, value: ""}, keep_empty_value: true}
  - {header: {key: x-old, value: new}, append: false}
  response_headers_to_add:
  - {header: {key: x-append, value: new}, append_action: APPEND_IF_EXISTS_OR_ADD}
  - {header: {key: x-absent, value: new}, append_action: ADD_IF_ABSENT}
  - {header: {key: x-set, value: new}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
  - {header: {key: x-exists, value: new}, append_action: OVERWRITE_IF_EXISTS}
  - {header: {key: x-empty, value: ""}}
  - {header: {key: x-kept, value: ""}, keep_empty_value: true}
  - {header: {key: Content-Type, value: text/x-new}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
- match: {prefix: /remove}
  route: {cluster: up}
  request_headers_to_remove: [x-a, user-agent, X-Forwarded-Proto]
  request_headers_to_add: [{header: {key: x-a, value: again}}]
  response_headers_to_remove: [server, x-b, x-envoy-upstream-service-time]
- match: {prefix: /direct}
  direct_response: {status: 200, body: {inline_string: direct}}
  response_headers_to_add: [{header: {key: x-direct, value: "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%"}}]
  response_headers_to_remove: [content-type]
- match: {prefix: /weighted}
  route:
    weighted_clusters:
      clusters:
      - name: up
        weight: 1
        request_headers_to_add: [{header: {key: x-order, value: weighted}}]
        request_headers_to_remove: [x-remove-weighted]
        response_headers_to_add: [{header: {key: x-order, value: weighted}}]
        response_headers_to_remove: [x-drop-weighted]
- match: {prefix: /dead}
  route: {cluster: dead}
  response_headers_to_add: [{header: {key: x-flags, value: "%RESPONSE_FLAGS% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%"}}]
- match: {prefix: /h2}
  route: {cluster: up_h2}
  request_headers_to_add: [{header: {key: X-Case-Is-Lowered, value: "%PROTOCOL%"}}]
"#;

fn most_specific_last() -> String {
    let routes: String = [ROUTES, &operators()].concat();
    let routes = crate::oracle::bootstrap::indent(&routes, 2);
    format!("{LEVELS}\n{HOSTS}\n{routes}")
}

fn cases() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "any.test", path);
    let removed = "200 header=x-drop-route:1 header=x-drop-host:1 header=x-drop-config:1 header=x-stays:1 header=x-order:up header=x-over:up header=x-drop-weighted:1";
    let actions = "200 header=x-append:up header=x-absent:up header=x-set:up header=x-set:up2 header=x-exists:up";
    let sent = |case: Case| {
        ["x-append", "x-absent", "x-set", "x-exists", "x-old"]
            .iter()
            .fold(case, |case, name| case.h(name, "client"))
    };
    let removing = |case: Case| {
        ["route", "host", "config", "weighted"]
            .iter()
            .fold(case, |case, level| {
                case.h(&format!("x-remove-{level}"), "1")
            })
    };
    vec![
        removing(at("each level", "/levels")).script(removed),
        removing(at("each level, with the client's own", "/levels"))
            .script(removed)
            .h("x-order", "client")
            .h("x-over", "client"),
        at("actions on absent headers", "/actions"),
        sent(at("actions on present headers", "/actions")).script(actions),
        sent(sent(at("actions on headers given twice", "/actions"))).script(actions),
        at("removal", "/remove")
            .h("x-a", "1")
            .h("user-agent", "me")
            .script("200 header=x-b:1 header=server:mine"),
        at("on a direct response", "/direct"),
        removing(at("of a weighted cluster", "/weighted")).script(removed),
        at("on a local reply", "/dead"),
        at("to HTTP/2", "/h2"),
        at("operators", "/operators/x?y=1")
            .h("x-given", "given")
            .script("204 header=x-up:fromup"),
        at("operators without their headers", "/operators").script("200"),
        at("operators with a header given twice", "/operators")
            .h("x-given", "one")
            .h("x-given", "two"),
        at("operators behind https", "/operators").h("x-forwarded-proto", "https"),
        at("operators behind HTTPS", "/operators").h("x-forwarded-proto", "HTTPS"),
        at("operators behind gopher", "/operators").h("x-forwarded-proto", "gopher"),
        post("operators for POST", "any.test", "/operators", b"body").h("x-given", "given"),
        at("the server of the upstream", "/operators")
            .script("200 header=server:mine header=date:Sat,+01+Jan+2000+00:00:00+GMT"),
        at("a header in odd case from the upstream", "/operators")
            .script("200 header=X-OdD-CaSe:1"),
        at("an odd case to the upstream", "/operators")
            .h("X-OdD-CaSe", "1")
            .h1(),
        at("set-cookie twice", "/operators")
            .script("200 header=set-cookie:a=1 header=set-cookie:b=2"),
        at("cookies", "/operators")
            .h("cookie", "a=1")
            .h("cookie", "b=2"),
        at("a value with a comma and spaces", "/operators").h("x-given", "a,  b ,c"),
        at("an empty value", "/operators").h("x-given", ""),
        at("a value of UTF-8", "/operators").h("x-given", "\u{c3}\u{a4}"),
    ]
}

#[tokio::test]
async fn headers() {
    let first = listener("main")
        .routes(&most_specific_last())
        .log("scheme: \"%REQ(:SCHEME)%\"");
    let wins = format!(
        "most_specific_header_mutations_wins: true\n{}",
        most_specific_last()
    );
    let bootstrap = bootstrap()
        .listener(first)
        .listener(listener("wins").routes(&wins));
    let mut all = cases();
    all.extend(cases().into_iter().take(2).map(|mut case| {
        case.name.push_str(", the most specific wins");
        case.on("wins")
    }));
    check("headers", bootstrap, all).await;
}
