//! Time limits: of a route, of idleness, of a stream, of gRPC's own, of requests that come slowly.

use crate::oracle::{Case, bootstrap, check, get, grpc, listener, post, raw};

const ROUTES: &str = r#"
- {match: {prefix: /short}, route: {cluster: up, timeout: 0.2s}}
- {match: {prefix: /h2-short}, route: {cluster: up_h2, timeout: 0.2s}}
- {match: {prefix: /none}, route: {cluster: up, timeout: 0s}}
- {match: {prefix: /idle-long}, route: {cluster: up, timeout: 0s, idle_timeout: 0.5s}}
- {match: {prefix: /idle}, route: {cluster: up, timeout: 0s, idle_timeout: 0.2s}}
- {match: {prefix: /max}, route: {cluster: up, timeout: 0s, max_stream_duration: {max_stream_duration: 0.25s}}}
- {match: {prefix: /grpc-header}, route: {cluster: up_h2, timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 0.8s}}}
- {match: {prefix: /grpc-any}, route: {cluster: up_h2, timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 0s}}}
- {match: {prefix: /grpc-offset}, route: {cluster: up_h2, timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 5s, grpc_timeout_header_offset: 0.1s}}}
- {match: {prefix: /grpc-both}, route: {cluster: up_h2, timeout: 0s, max_stream_duration: {max_stream_duration: 0.2s, grpc_timeout_header_max: 5s}}}
- {match: {prefix: /new-only}, route: {cluster: up, timeout: 0.2s, max_stream_duration: {}}}
- {match: {prefix: /new-max}, route: {cluster: up_h2, timeout: 0.2s, max_stream_duration: {max_stream_duration: 5s}}}
- {match: {prefix: /old-grpc}, route: {cluster: up_h2, timeout: 0.2s, max_grpc_timeout: 0.5s}}
- {match: {prefix: /old-any}, route: {cluster: up_h2, timeout: 0.2s, max_grpc_timeout: 0s}}
- {match: {prefix: /old-offset}, route: {cluster: up_h2, timeout: 0.2s, max_grpc_timeout: 5s, grpc_timeout_offset: 0.1s}}
- {match: {prefix: /old-tries}, route: {cluster: up_h2, timeout: 0.2s, max_grpc_timeout: 5s, retry_policy: {retry_on: unavailable, num_retries: 1, per_try_timeout: 0.5s}}}
- {match: {prefix: /silent}, route: {cluster: up, timeout: 3s, retry_policy: {retry_on: 5xx, num_retries: 1, per_try_idle_timeout: 0.2s}}}
- {match: {prefix: /h2-silent}, route: {cluster: up_h2, timeout: 3s, retry_policy: {retry_on: 5xx, num_retries: 1, per_try_idle_timeout: 0.2s}}}
- {match: {prefix: /try}, route: {cluster: up, timeout: 3s, retry_policy: {retry_on: reset, num_retries: 0, per_try_timeout: 0.2s}}}
- {match: {prefix: /both-silent}, route: {cluster: up, timeout: 3s, retry_policy: {retry_on: reset, num_retries: 0, per_try_timeout: 1.2s, per_try_idle_timeout: 0.2s}}}
- {match: {prefix: /both-try}, route: {cluster: up, timeout: 3s, retry_policy: {retry_on: reset, num_retries: 0, per_try_timeout: 0.2s, per_try_idle_timeout: 1.2s}}}
- {match: {prefix: /}, route: {cluster: up}}
"#;

fn cases() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "any.test", path);
    let call = |name: &str, path: &str, limit: &str| {
        grpc(name, "any.test", path)
            .h("grpc-timeout", limit)
            .script(
                "200 delay=1500 nobody header=content-type:application/grpc header=grpc-status:0",
            )
    };
    vec![
        at("in time", "/short").script("200 delay=50"),
        at("too late", "/short")
            .script("200 delay=3000")
            .took(150..=2500),
        at("too late from HTTP/2", "/h2-short")
            .script("200 delay=3000")
            .took(150..=2500),
        at("too late in the body", "/short")
            .script("200 body=2000 pause=600")
            .took(150..=1900),
        at("too late in the body from HTTP/2", "/h2-short")
            .script("200 body=2000 pause=600")
            .took(150..=1900),
        at("too late in chunks", "/short")
            .script("200 body=2000 chunked pause=600")
            .took(150..=1900),
        at("no limit", "/none").script("200 delay=400"),
        post(
            "the limit starts when the request is whole",
            "any.test",
            "/short",
            b"body",
        )
        .script("200 delay=100"),
        at("idle before the answer", "/idle")
            .script("200 delay=3000")
            .took(150..=2500),
        at("idle in the body", "/idle")
            .script("200 body=2000 pause=600")
            .took(150..=1900),
        at("idle, but not so long", "/idle-long").script("200 body=2000 delay=300 pause=300"),
        at("a stream that takes too long", "/max")
            .script("200 delay=3000")
            .took(200..=2500),
        at("a stream that takes too long in the body", "/max")
            .script("200 body=2000 pause=700")
            .took(200..=1900),
        raw(
            "the request's body comes too slowly for the route",
            "POST /short HTTP/1.1\r\nHost: any.test\r\nContent-Length: 4\r\n\r\nab",
        )
        .then(400, "cd"),
        raw(
            "the request is idle",
            "POST /idle HTTP/1.1\r\nHost: any.test\r\nContent-Length: 4\r\n\r\nab",
        )
        .took(150..=1500),
        raw("the head comes slowly", "GET / HTTP/1.1\r\nHo").then(150, "st: any.test\r\n\r\n"),
        raw("the head comes too slowly", "GET / HTTP/1.1\r\nHo")
            .on("slow")
            .took(200..=1500),
        raw("an empty line and nothing more", "\r\n")
            .on("slow")
            .took(200..=1500),
        raw("empty lines for ever", "\r\n")
            .then(100, "\r\n")
            .then(100, "\r\n")
            .then(50, "\r\n")
            .on("slow")
            .took(250..=1500),
        raw(
            "an empty line behind a request",
            "GET / HTTP/1.1\r\nHost: any.test\r\n\r\n\r\n",
        )
        .responses(2)
        .on("slow")
        .took(200..=1500),
        raw("the head is idle", "GET / HTTP/1.1\r\nHo")
            .on("stream-idle")
            .took(200..=1500),
        raw("the head comes, but slowly", "GET / HTTP/1.1\r\n")
            .then(150, "Ho")
            .then(100, "st")
            .on("stream-idle")
            .took(200..=1500),
        raw(
            "the head is too late for the request",
            "GET / HTTP/1.1\r\nHo",
        )
        .on("request")
        .took(200..=1500),
        raw(
            "the head is too late for the stream",
            "GET / HTTP/1.1\r\nHo",
        )
        .on("stream-max")
        .took(200..=1500),
        raw(
            "the request comes too slowly",
            "POST / HTTP/1.1\r\nHost: any.test\r\nContent-Length: 4\r\n\r\nab",
        )
        .on("request")
        .took(200..=1500),
        raw(
            "the request comes in time",
            "POST / HTTP/1.1\r\nHost: any.test\r\nContent-Length: 4\r\n\r\nab",
        )
        .then(50, "cd")
        .on("request"),
        get(
            "the request came in time, the answer is late",
            "any.test",
            "/none",
        )
        .script("200 delay=500")
        .on("request"),
        get("the manager's idle limit of streams", "any.test", "/none")
            .script("200 delay=3000")
            .on("stream-idle")
            .took(200..=2500),
        get("the manager's longest stream", "any.test", "/none")
            .script("200 delay=3000")
            .on("stream-max")
            .took(200..=2500),
        get(
            "the manager's longest stream, in the body",
            "any.test",
            "/none",
        )
        .script("200 body=2000 pause=700")
        .on("stream-max")
        .took(200..=1900),
        call("grpc-timeout without a maximum", "/none", "100m"),
        call("grpc-timeout of the client", "/grpc-any", "150m").took(100..=1400),
        call("grpc-timeout above the maximum", "/grpc-header", "5S").took(700..=1400),
        call("grpc-timeout below the maximum", "/grpc-header", "100m").took(80..=700),
        call("grpc-timeout in microseconds", "/grpc-any", "150000u").took(100..=1400),
        call("grpc-timeout in nanoseconds", "/grpc-any", "1500n").took(0..=1400),
        call("grpc-timeout of nought", "/grpc-any", "0m"),
        call("grpc-timeout that is none", "/grpc-header", "soon"),
        call("grpc-timeout with an offset", "/grpc-offset", "300m").took(150..=1400),
        call("grpc-timeout in hours is cut", "/grpc-header", "1H").took(700..=1400),
        grpc("no grpc-timeout and a duration", "any.test", "/grpc-both")
            .script("200 delay=3000 nobody header=grpc-status:0")
            .took(150..=2500),
        at("a route of the newer kind has no timeout", "/new-only").script("200 delay=400"),
        at("nor one with a longest stream", "/new-max").script("200 delay=400"),
        call("gRPC: the longest stream is told", "/new-max", "100m"),
        grpc("gRPC: the longest stream, nothing asked", "any.test", "/new-max")
            .script("200 nobody header=content-type:application/grpc header=grpc-status:0"),
        call("gRPC: an empty longest stream", "/new-only", "100m"),
        call("gRPC: the manager's longest stream", "/none", "100m")
            .on("stream-max")
            .took(200..=1400),
        grpc("gRPC of old: no grpc-timeout", "any.test", "/old-grpc")
            .script("200 delay=300 nobody header=content-type:application/grpc header=grpc-status:0"),
        call("gRPC of old: below the maximum", "/old-grpc", "150m").took(100..=1400),
        call("gRPC of old: above the maximum", "/old-grpc", "5S"),
        call("gRPC of old: nought", "/old-grpc", "0S"),
        call("gRPC of old: any", "/old-any", "2S"),
        grpc("gRPC of old: any, not asked", "any.test", "/old-any")
            .script("200 delay=300 nobody header=content-type:application/grpc header=grpc-status:0"),
        call("gRPC of old: with an offset", "/old-offset", "300m").took(150..=1400),
        call("gRPC of old: an offset as long", "/old-offset", "100m").took(50..=1400),
        grpc("gRPC of old: tries", "any.test", "/old-tries").h("grpc-timeout", "900m").script(
            "200 nobody header=content-type:application/grpc header=grpc-status:14|200 nobody header=content-type:application/grpc header=grpc-status:0",
        ),
        at("what is of gRPC is of gRPC only", "/old-grpc")
            .h("grpc-timeout", "5S")
            .script("200 delay=400"),
        grpc(
            "a late answer is deadline exceeded",
            "any.test",
            "/h2-short",
        )
        .script("200 delay=3000")
        .took(150..=2500),
        grpc("idle is deadline exceeded", "any.test", "/idle")
            .script("200 delay=3000")
            .took(150..=2500),
    ]
}

/// Limits of one try: of its whole time until the answer begins, and of silence all along.
fn tries() -> Vec<Case> {
    let at = |name: &str, path: &str| get(name, "any.test", path);
    let slowly = |name: &str, path: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: any.test\r\nContent-Length: 4\r\n");
        raw(name, format!("{head}x-script: 200 delay=50\r\n\r\nab")).then(450, "cd")
    };
    let mut all = vec![
        at("a slow try's answer goes on beyond its limit", "/try")
            .script("200 body=2000 pause=400"),
        slowly("a try begins when the request is whole", "/try"),
        slowly("silence begins when the request is whole", "/silent"),
        at("silent within a longer try", "/both-silent")
            .script("200 delay=1500")
            .took(150..=1100),
        at("a try shorter than silence", "/both-try")
            .script("200 delay=1500")
            .took(150..=1100),
        at("silent in the body of a longer try", "/both-silent")
            .script("200 body=2000 pause=1500")
            .took(150..=1400),
    ];
    for path in ["/silent", "/h2-silent"] {
        let named = |name: &str| at(&format!("{path}: {name}"), path);
        all.extend([
            named("silent before the answer, then not")
                .script("200 delay=1500|200")
                .took(150..=1400),
            named("silent before every answer")
                .script("200 delay=1500")
                .took(350..=1400),
            named("silent in the body")
                .script("200 body=2000 pause=1500")
                .took(150..=1400),
            named("silent in chunks")
                .script("200 body=2000 chunked pause=1500")
                .took(150..=1400),
            named("silent, but not so long").script("200 body=2000 delay=120 pause=120"),
        ]);
    }
    for (name, script) in [
        ("before the answer", "200 delay=1500"),
        (
            "in the body",
            "200 body=2000 pause=1500 header=content-type:application/grpc trailer=grpc-status:0",
        ),
    ] {
        all.push(
            grpc(&format!("gRPC, silent {name}"), "any.test", "/h2-silent")
                .script(script)
                .took(150..=1400),
        );
    }
    all
}

#[tokio::test]
async fn timeouts() {
    let with = |name, hcm: &str| listener(name).hcm(hcm).route_list(ROUTES);
    let bootstrap = bootstrap()
        .listener(with("main", ""))
        .listener(with("request", "request_timeout: 0.3s"))
        .listener(with("slow", "request_headers_timeout: 0.3s"))
        .listener(with("stream-idle", "stream_idle_timeout: 0.3s"))
        .listener(with(
            "stream-max",
            "common_http_protocol_options: {max_stream_duration: 0.3s}",
        ));
    check(
        "timeouts",
        bootstrap,
        cases().into_iter().chain(tries()).collect(),
    )
    .await;
}
