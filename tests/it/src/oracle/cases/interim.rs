//! Interim answers where `proxy_100_continue` passes them on.

use crate::oracle::{Case, bootstrap, check, get, listener, post, raw, send};

const ROUTES: &str = r#"
- {match: {prefix: /h2}, route: {cluster: up_h2, retry_policy: {retry_on: 5xx, num_retries: 1}}}
- {match: {prefix: /direct}, direct_response: {status: 200, body: {inline_string: direct}}}
- match: {prefix: /edited}
  route: {cluster: up}
  response_headers_to_add: [{header: {key: x-edited, value: "yes"}}]
- {match: {prefix: /}, route: {cluster: up, retry_policy: {retry_on: 5xx, num_retries: 1}}}
"#;

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for path in ["/h1", "/h2"] {
        let at = |name: &str| get(&format!("{path}: {name}"), "any.test", path);
        let up = |name: &str| post(&format!("{path}: {name}"), "any.test", path, b"hello");
        let slowly = |name: &str, script: &str| {
            let head = format!("POST {path} HTTP/1.1\r\nHost: any.test\r\n");
            let fields = format!("Content-Length: 4\r\nExpect: 100-continue\r\nx-script: {script}");
            raw(
                &format!("{path}: {name}"),
                format!("{head}{fields}\r\n\r\n"),
            )
            .then(80, "abcd")
        };
        all.extend([
            at("100").script("200 interim=100"),
            at("102").script("200 interim=102"),
            at("103").script("200 interim=103"),
            at("199").script("200 interim=199"),
            at("all kinds").script("200 interim=100 interim=102 interim=103"),
            at("103 and 100").script("200 interim=103 interim=100"),
            at("100 twice").script("200 interim=100 interim=100"),
            at("100 to a slow answer").script("200 interim=100 delay=100"),
            at("100, then a failure").script("503 interim=100|200"),
            at("103, then a failure").script("503 interim=103|200"),
            at("100, then nothing").script("200 interim=100 break=before|200"),
            at("nothing, then 100").script("200 break=before|200 interim=100"),
            up("100 to a POST").script("200 interim=100 echo"),
            send(&format!("{path}: 100 to HEAD"), "HEAD", "any.test", path)
                .script("200 interim=100"),
            up("expected and at once")
                .h("expect", "100-continue")
                .script("200 interim=100 echo"),
            slowly("expected", "200 interim=100 echo"),
            slowly("expected in vain", "200 echo"),
            slowly("expected and refused", "417 early close text=no"),
        ]);
    }
    let old = "GET / HTTP/1.0\r\nHost: any.test\r\nx-script: 200 interim=100\r\n\r\n";
    all.extend([
        get("the fields of 100", "any.test", "/edited").script("200 interim=100"),
        raw("100 to HTTP/1.0", old).on("old"),
        raw("expected of a direct answer", "POST /direct HTTP/1.1\r\nHost: any.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").then(50, "ab"),
        raw("two requests at once", "GET /h1 HTTP/1.1\r\nHost: any.test\r\nx-script: 200 interim=100 delay=30\r\n\r\nGET /h1 HTTP/1.1\r\nHost: any.test\r\nx-script: 200 interim=100\r\n\r\n").responses(2),
        raw(
            "with fields of its own",
            "GET / HTTP/1.1\r\nHost: any.test\r\nx-script: 200 raw=HTTP/1.1+100+Go+on\\r\\nx-a:+1\\r\\nserver:+me\\r\\nconnection:+x-b\\r\\nx-b:+2\\r\\n\\r\\nHTTP/1.1+200+OK\\r\\nContent-Length:+2\\r\\n\\r\\nok\r\n\r\n",
        ),
    ]);
    all
}

#[tokio::test]
async fn interim() {
    let with = |name, hcm: &str| {
        let hcm = format!("proxy_100_continue: true\n{hcm}");
        listener(name).hcm(&hcm).route_list(ROUTES)
    };
    let bootstrap = bootstrap().listener(with("main", "")).listener(with(
        "old",
        "http_protocol_options: {accept_http_10: true, default_host_for_http_10: any.test}",
    ));
    check("interim", bootstrap, cases()).await;
}
