//! Bodies, trailers, interim answers, upgrades, and streams that break at each stage.

use crate::oracle::{Case, bootstrap, check, get, listener, post, raw, send};

const ROUTES: &str = r#"
- {match: {prefix: /h2}, route: {cluster: up_h2}}
- {match: {prefix: /dead}, route: {cluster: dead}}
- {match: {prefix: /empty}, route: {cluster: empty}}
- {match: {prefix: /direct}, direct_response: {status: 200, body: {inline_string: direct}}}
- {match: {prefix: /}, route: {cluster: up}}
"#;

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for path in ["/h1", "/h2"] {
        all.extend(bodies(path));
        all.extend(breaks(path));
    }
    all.extend(raws());
    all
}

fn bodies(path: &str) -> Vec<Case> {
    let at = |name: &str| get(&format!("{path}: {name}"), "any.test", path);
    let up = |name: &str, body: &[u8]| post(&format!("{path}: {name}"), "any.test", path, body);
    let head = |name: &str| send(&format!("{path}: HEAD, {name}"), "HEAD", "any.test", path);
    vec![
        up("echo", b"hello").script("200 echo"),
        up("an empty body", b"").script("200 echo"),
        up("an empty body that ends late", b"")
            .chunked()
            .script("200 echo"),
        up("an empty body that ends late, and a status only", b"")
            .chunked()
            .script("200 nobody header=grpc-status:0"),
        up("chunks", b"hello").chunked().script("200 echo chunked"),
        up("100 KB", &[b'y'; 100_000]).script("200 echo"),
        up("a megabyte in chunks", &[b'z'; 1_000_000])
            .chunked()
            .script("200 echo chunked"),
        at("a megabyte back").script("200 body=1000000"),
        at("a megabyte in chunks back").script("200 body=1000000 chunked"),
        up("trailers", b"hello")
            .trailer("x-t", "1")
            .script("200 echo"),
        at("trailers back").script("200 text=hello trailer=x-t:1 trailer=x-u:2"),
        at("trailers and no body back").script("200 nobody trailer=x-t:1"),
        at("204").script("204"),
        at("304").script("304 header=etag:x"),
        at("205").script("205 text="),
        at("an empty body back").script("200 text="),
        at("no content-length back").script("200 eof text=until+the+end"),
        at("a status that nobody knows").script("299"),
        at("599").script("599"),
        at("two headers of a name").script("200 header=x-a:1 header=x-a:2"),
        head("with a length").script("200 body=100"),
        head("in chunks").script("200 chunked"),
        head("404").script("404 text=gone"),
        send(
            &format!("{path}: DELETE with a body"),
            "DELETE",
            "any.test",
            path,
        )
        .body(b"x")
        .script("200 echo"),
        at("early hints").script("200 interim=103"),
        at("two interim answers").script("200 interim=102 interim=103"),
        at("100 unasked").script("200 interim=100"),
        at("a processing answer").script("200 interim=102"),
        at("interim answers of all kinds").script("200 interim=100 interim=102 interim=103"),
        at("the same interim answer often").script("200 interim=103 interim=103 interim=103"),
        at("an interim answer to a slow answer").script("200 interim=103 delay=100"),
        at("an interim answer, then a failure").script("503 interim=103 text=no"),
        at("an interim answer, then nothing").script("200 interim=103 break=before"),
        up("an interim answer to a POST", b"hello").script("200 interim=103 echo"),
        head("an interim answer").script("200 interim=103"),
        up("expect", b"hello")
            .h1_expect()
            .script("200 interim=100 echo"),
        up("expect", b"hello")
            .h("expect", "100-continue")
            .script("200 echo")
            .h2(),
        up("expect, the upstream says nothing", b"hello")
            .h1_expect()
            .script("200 echo"),
        up("expect, refused", b"hello")
            .h1_expect()
            .script("417 early close"),
        up("an early answer", &[b'x'; 300_000])
            .script("200 early")
            .racy(),
        up("an early refusal", &[b'x'; 300_000])
            .script("413 early close")
            .racy(),
        at("the upstream closes after it").script("200 close"),
        at("the upstream hangs up after it")
            .script("200 hangup")
            .times(3),
        up("a slow answer", b"x").script_slow(),
    ]
}

trait Shorthand {
    fn h1_expect(self) -> Self;
    fn script_slow(self) -> Self;
}

impl Shorthand for Case {
    fn h1_expect(self) -> Self {
        self.h("expect", "100-continue").h1()
    }
    fn script_slow(self) -> Self {
        self.script("200 body=1000 pause=100 delay=50")
    }
}

fn breaks(path: &str) -> Vec<Case> {
    let at = |name: &str| get(&format!("{path}: {name}"), "any.test", path);
    vec![
        at("reset at once").script("200 break=at-once"),
        at("reset before the answer").script("200 break=before"),
        at("reset after the head").script("200 body=5000 break=head"),
        at("reset in the body").script("200 body=5000 break=mid"),
        at("reset in chunks").script("200 body=5000 chunked break=mid"),
        at("the client goes away")
            .script("200 delay=300")
            .cancel(60),
        at("the client goes away in the body")
            .script("200 body=5000 pause=300")
            .cancel(60),
        post(
            &format!("{path}: reset of a POST"),
            "any.test",
            path,
            b"body",
        )
        .script("200 break=before"),
        get(&format!("{path}: refused"), "any.test", "/dead"),
        get(&format!("{path}: no endpoint"), "any.test", "/empty"),
        post(
            &format!("{path}: refused POST"),
            "any.test",
            "/dead",
            b"body",
        )
        .racy(),
    ]
}

fn raws() -> Vec<Case> {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let ws = |script: &str| {
        format!("GET /ws HTTP/1.1\r\nHost: any.test\r\n{upgrade}x-script: {script}\r\n\r\n")
    };
    let h2 = |script: &str| ws(script).replace("/ws", "/h2");
    let upstream = |name: &str, bytes: &str| {
        raw(
            &format!("upstream: {name}"),
            format!("GET / HTTP/1.1\r\nHost: any.test\r\nx-script: 200 hangup raw={bytes}\r\n\r\n"),
        )
    };
    vec![
        raw("websocket", ws("200 upgrade")).on("ws"),
        raw("websocket where it is not allowed", ws("200 upgrade")),
        raw("websocket refused by the upstream", ws("403 text=no")).on("ws"),
        raw("another upgrade", ws("200 upgrade").replace("websocket", "other")).on("ws"),
        raw("websocket, and bytes", ws("200 upgrade")).on("ws").then(50, "ping").cancel(150),
        raw("websocket to HTTP/2", h2("200 upgrade")).on("ws"),
        raw("websocket to HTTP/2, and bytes", h2("200 upgrade header=sec-websocket-protocol:x"))
            .on("ws")
            .then(50, "ping")
            .cancel(150),
        raw("websocket to HTTP/2, bytes at once", h2("200 upgrade") + "ping").on("ws").cancel(150),
        raw("websocket to HTTP/2 that ends", h2("200 upgrade")).on("ws").then(50, "ping").cancel(150),
        raw("websocket to HTTP/2 where it is not allowed", h2("200 upgrade")),
        raw("websocket to HTTP/2 that answers 201", h2("201 early text=no")).on("ws"),
        raw("websocket to HTTP/2 that ends at once", h2("200 early nobody")).on("ws"),
        raw("websocket refused by HTTP/2", h2("403 text=no early")).on("ws"),
        raw("websocket to HTTP/2, reset before the head", h2("200 early break=before")).on("ws"),
        raw("websocket to HTTP/2 that breaks", h2("200 upgrade break=mid")).on("ws").then(50, "ping"),
        raw("another upgrade to HTTP/2", h2("200 upgrade").replace("websocket", "other")).on("ws"),
        raw("an upgrade to HTTP/2 by POST", h2("200 upgrade").replace("GET", "POST")).on("ws"),
        raw("CONNECT", "CONNECT any.test:443 HTTP/1.1\r\nHost: any.test:443\r\n\r\n").on("ws"),
        raw("a client that closes in the body", "POST / HTTP/1.1\r\nHost: any.test\r\nContent-Length: 10\r\n\r\nabc").cancel(50),
        raw("expect something else", "POST / HTTP/1.1\r\nHost: any.test\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nab"),
        raw("expect, and the body at once", "POST / HTTP/1.1\r\nHost: any.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"),
        raw("expect of a direct answer", "POST /direct HTTP/1.1\r\nHost: any.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").then(50, "ab"),
        upstream("no HTTP", "hello+there\\r\\n\\r\\n"),
        upstream("a bad status", "HTTP/1.1+abc+OK\\r\\n\\r\\n"),
        upstream("a status of 99", "HTTP/1.1+99+Low\\r\\nContent-Length:+0\\r\\n\\r\\n"),
        upstream("a status of 1000", "HTTP/1.1+1000+High\\r\\nContent-Length:+0\\r\\n\\r\\n"),
        upstream("no reason", "HTTP/1.1+200\\r\\nContent-Length:+0\\r\\n\\r\\n"),
        upstream("HTTP/1.0", "HTTP/1.0+200+OK\\r\\n\\r\\nbody"),
        upstream("a bad field", "HTTP/1.1+200+OK\\r\\nx+a:+1\\r\\nContent-Length:+0\\r\\n\\r\\n"),
        upstream("NUL in a value", "HTTP/1.1+200+OK\\r\\nx-a:+\\0\\r\\nContent-Length:+0\\r\\n\\r\\n"),
        upstream("two lengths", "HTTP/1.1+200+OK\\r\\nContent-Length:+1\\r\\nContent-Length:+2\\r\\n\\r\\nab"),
        upstream("length and chunks", "HTTP/1.1+200+OK\\r\\nContent-Length:+1\\r\\nTransfer-Encoding:+chunked\\r\\n\\r\\n0\\r\\n\\r\\n"),
        upstream("a bad chunk", "HTTP/1.1+200+OK\\r\\nTransfer-Encoding:+chunked\\r\\n\\r\\nzz\\r\\n"),
        upstream("more than it said", "HTTP/1.1+200+OK\\r\\nContent-Length:+1\\r\\n\\r\\nabc"),
        upstream("less than it said", "HTTP/1.1+200+OK\\r\\nContent-Length:+9\\r\\n\\r\\nabc"),
        upstream("101 unasked", "HTTP/1.1+101+Switching+Protocols\\r\\nUpgrade:+x\\r\\n\\r\\n"),
    ]
}

#[tokio::test]
async fn streams() {
    let with = |name, hcm: &str| listener(name).hcm(hcm).route_list(ROUTES);
    let bootstrap = bootstrap()
        .listener(with("main", ""))
        .listener(with("ws", "upgrade_configs: [{upgrade_type: websocket}]"));
    check("streams", bootstrap, cases()).await;
}
