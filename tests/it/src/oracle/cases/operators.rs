//! Every operator that is accepted in access logs, over each way that a request can go, and logs
//! without a format or without what is empty.

use tandem_model::format::accepted;

use crate::oracle::case::Wire;
use crate::oracle::{Case, access_log, bootstrap, check, get, grpc, indent, listener, post};

/// Bytes on the wire are compared, so nothing of changing length may be among them.
const ROUTER: &str = "- name: envoy.filters.http.router\n  typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, suppress_envoy_headers: true}";

const ROUTES: &str = r#"
- {name: up, match: {prefix: /up}, route: {cluster: up}}
- {match: {prefix: /h2}, route: {cluster: up_h2}}
- {match: {prefix: /old}, route: {cluster: up, prefix_rewrite: /new}}
- {match: {prefix: /direct}, direct_response: {status: 200, body: {inline_string: teapot}}}
- {match: {prefix: /dead}, route: {cluster: dead}}
- {match: {prefix: /empty}, route: {cluster: empty}}
- {match: {prefix: /retry}, route: {cluster: up, retry_policy: {retry_on: 5xx, num_retries: 2, retry_back_off: {base_interval: 0.002s}}}}
"#;

const FRAMES: &str = "the frames of streams that share an HTTP/2 connection are not told apart";
const UPSTREAM: &str = "log.0.UPSTREAM_WIRE_BYTES";
const RECEIVED: &str = "log.0.UPSTREAM_WIRE_BYTES_RECEIVED";

/// A field for each operator, by its name.
fn fields() -> String {
    let field = |operator: tandem_model::format::Accepted| match operator.argument {
        "" => format!("{name}: \"%{name}%\"\n", name = operator.name),
        argument => format!("{name}: \"%{name}({argument})%\"\n", name = operator.name),
    };
    accepted().into_iter().map(field).collect()
}

fn proxy(cluster: &str) -> String {
    let log = indent(&access_log(&fields()), 4);
    format!(
        "- name: envoy.filters.network.tcp_proxy\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n    stat_prefix: tcp\n    cluster: {cluster}\n    access_log:\n{log}"
    )
}

fn requests() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "any.test", path).h("name", "of the request");
    let luck = "how much of an answer came before the next try is a matter of luck";
    let answer = "200 text=hello header=name:answer";
    vec![
        at("plain", "/up?x=1&NAME=v%41l+ue%zz&NAME=2").script(answer),
        at("a parameter without a value", "/up?NAME").script(answer),
        at("an original path", "/up?x=1")
            .h("x-envoy-original-path", "/was?it=1")
            .script(answer),
        at("a path that is rewritten", "/old/p?x=1").script(answer),
        at("only the other header", "/up")
            .h("other", "o")
            .script("204"),
        post("a body", "any.test", "/up", b"the body").script(answer),
        at("over HTTP/2", "/h2").script("200 text=hello trailer=name:trailer")
            .differs(UPSTREAM, FRAMES),
        at("an answer made here", "/direct"),
        at("nobody listens", "/dead"),
        at("no endpoint", "/empty"),
        at("no route", "/none"),
        at("a retry", "/retry")
            .script("503 text=bad|200 text=hello")
            .differs(RECEIVED, luck),
        at("all tries fail", "/retry")
            .script("503 text=bad")
            .differs(RECEIVED, luck),
        grpc("gRPC", "any.test", "/h2/service/method").script(
            "200 text=x header=content-type:application/grpc trailer=grpc-status:5 trailer=name:t",
        )
        .differs(UPSTREAM, FRAMES),
    ]
}

fn over_each(case: Case) -> Vec<Case> {
    let over_h2 = case.clone().h2();
    let over_h2 = over_h2.differs("log.0.DOWNSTREAM_WIRE_BYTES", FRAMES);
    match case.wire {
        Wire::Both => vec![case.h1(), over_h2],
        Wire::H1 | Wire::H2 => vec![over_h2],
    }
}

fn connections() -> Vec<Case> {
    let at = |listener: &'static str| {
        get(&format!("bytes {listener}"), "any.test", "/")
            .on(listener)
            .script("200 close")
            .h1()
    };
    vec![at("to-up"), at("to-dead"), at("to-empty")]
}

/// Each operator's value is Envoy's.
#[tokio::test]
async fn operators() {
    let http = listener("main")
        .only_filters(ROUTER)
        .log(&fields())
        .route_list(ROUTES);
    let bootstrap = bootstrap()
        .listener(http)
        .listener(listener("to-up").network_filters(&proxy("up")))
        .listener(listener("to-dead").network_filters(&proxy("dead")))
        .listener(listener("to-empty").network_filters(&proxy("empty")));
    let luck = "timing decides if a close with unread bytes is a reset";
    let of_connections = connections()
        .into_iter()
        .map(|case| case.differs("end", luck));
    let cases = requests().into_iter().flat_map(over_each);
    let cases = cases.chain(of_connections).collect();
    check("operators", bootstrap, cases).await;
}

/// Logs without a format, and such that leave out what is empty.
#[tokio::test]
async fn forms_of_logs() {
    const NESTED: &str = r#"{omit_empty_values: true, json_format: {p: "%PATH%", a: "%REQ(NONE)%", b: {c: "%REQ(NONE)%"}, d: "%REQ(NONE)%-x", e: ["%REQ(NONE)%", {f: "%REQ(NONE)%"}], g: {h: {i: "%REQ(NONE)%"}, j: "%RESPONSE_CODE%"}, k: {}, l: [], m: null}}"#;
    const NULLS: &str = r#"{json_format: {p: "%PATH%", a: "%REQ(NONE)%", b: {c: "%REQ(NONE)%"}, d: "%REQ(NONE)%-x", e: ["%REQ(NONE)%"], k: {}, l: [], m: null}}"#;
    const TEXT: &str = r#"{omit_empty_values: true, text_format_source: {inline_string: "text %PATH% [%REQ(NONE)%] %RESPONSE_CODE% [%REQ(NONE)%]\n"}}"#;
    let with = |name, format: &str| {
        listener(name)
            .only_filters(ROUTER)
            .only_log(format)
            .route_list(ROUTES)
    };
    let bootstrap = bootstrap()
        .listener(with("main", ""))
        .listener(with("omitting", NESTED))
        .listener(with("nulls", NULLS))
        .listener(with("text", TEXT));
    let at = |listener: &'static str| {
        let case = |name: &str, path: &str| {
            get(&format!("{listener}: {name}"), "any.test", path).on(listener)
        };
        [
            case("an answer", "/up").script("200 text=hello"),
            case("nobody listens", "/dead"),
        ]
    };
    let cases = ["main", "omitting", "nulls", "text"]
        .into_iter()
        .flat_map(at);
    check("forms of logs", bootstrap, cases.collect()).await;
}
