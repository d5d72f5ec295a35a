//! Connections whose time is over, beside Envoy: what a client sends before it has heard that is
//! still answered.

use std::time::{Duration, Instant};

use tandem_harness::client::frames::{self, END_HEADERS, END_STREAM, Raw, kind};
use tandem_harness::client::h1::Connection;
use tandem_harness::{Kind, Proxy, ports, wait};

/// What ends a connection, and the counter of it.
const LIMITS: [(&str, &str); 2] = [
    (
        "max_connection_duration",
        "downstream_cx_max_duration_reached",
    ),
    ("idle_timeout", "downstream_cx_idle_timeout"),
];
const DRAIN: Duration = Duration::from_secs(6);
/// How closely it is seen when a goodbye came.
const LOOK: Duration = Duration::from_millis(50);

async fn start(of: Kind, limit: &str) -> (Proxy, u16) {
    let [port, admin] = [ports::free(), ports::free()];
    let bootstrap = BOOTSTRAP
        .replace("LISTENER_PORT", &port.to_string())
        .replace("ADMIN_PORT", &admin.to_string())
        .replace("LIMIT", limit);
    (Proxy::start(of, &bootstrap, admin).await.unwrap(), port)
}

/// The second answer's status and `connection`.
async fn http1(proxy: &Proxy, port: u16, counter: &str) -> (u16, Option<String>) {
    let mut connection = Connection::open(port).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: any\r\n\r\n";
    connection.send(request).await.unwrap();
    let first = connection.response("GET").await.unwrap();
    assert_eq!(first.get("connection"), None);
    let line = format!("http.main.{counter}: 1");
    let is_over = wait::until_async(wait::PATIENCE, || async {
        let page = proxy.admin("/stats").await;
        page.lines().any(|found| found == line)
    });
    assert!(is_over.await, "{counter}");
    connection.send(request).await.unwrap();
    let second = connection.response("GET").await.unwrap();
    let close = second.get("connection").map(str::to_owned);
    (second.status, close)
}

/// The answered streams and the goodbyes with their last stream, until the last of those.
async fn http2(port: u16) -> Vec<(&'static str, u32)> {
    let block = frames::request("GET", "/", &[]);
    let ask = |stream| frames::frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block);
    let mut raw = Raw::open(port).await.unwrap();
    raw.send(&ask(1)).await.unwrap();
    let (mut seen, mut goodbye) = (Vec::new(), None);
    let begun = Instant::now();
    // What comes next was not there then, however late it is read.
    let mut empty = begun;
    while begun.elapsed() < 2 * wait::PATIENCE {
        let before = Instant::now();
        let Some(frame) = raw.next(LOOK).await else {
            if before.elapsed() < LOOK {
                break; // It is closed.
            }
            empty = before;
            continue;
        };
        match frame.kind {
            kind::PING if frame.flags == 0 => {
                let pong = frames::frame(kind::PING, 1, 0, &frame.payload);
                raw.send(&pong).await.unwrap();
            }
            kind::HEADERS => seen.push(("answer", frame.stream)),
            kind::GOAWAY => {
                let last = frame.payload[..4].try_into().unwrap();
                seen.push(("goodbye", u32::from_be_bytes(last)));
                if let Some(first) = goodbye.replace(empty) {
                    let took = first.elapsed();
                    assert!(took >= DRAIN.mul_f32(0.9), "{took:?}");
                    break;
                }
                raw.send(&ask(3)).await.unwrap();
            }
            _ => {}
        }
    }
    seen
}

#[tokio::test]
async fn who_asks_when_the_time_is_over_is_answered() {
    for (limit, counter) in LIMITS {
        tokio::join!(
            is_answered(Kind::Envoy, limit, counter),
            is_answered(Kind::Tandem, limit, counter)
        );
    }
}

async fn is_answered(of: Kind, limit: &str, counter: &str) {
    let (proxy, port) = start(of, limit).await;
    let (status, close) = http1(&proxy, port, counter).await;
    assert_eq!((status, close.as_deref()), (200, Some("close")), "{of:?}");
    let last = [("goodbye", i32::MAX as u32), ("answer", 3), ("goodbye", 3)];
    let expected = [&[("answer", 1)], last.as_slice()].concat();
    assert_eq!(http2(port).await, expected, "{of:?} {limit}");
}

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN_PORT } } }
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: LISTENER_PORT } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          common_http_protocol_options: { LIMIT: 4s }
          drain_timeout: 6s
          route_config:
            name: r
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{ match: { prefix: / }, direct_response: { status: 200 } }]
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
"#;
