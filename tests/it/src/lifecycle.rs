//! The life of the process: bodies that are larger than any buffer, and its end.

use std::time::Duration;

use tandem_harness::client::{Request, h2c};
use tandem_harness::{Kind, Proxy, ports, wait};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const GIB: u64 = 1 << 30;

async fn proxy(upstream: u16, more: &[&str]) -> (Proxy, u16) {
    let (port, admin) = (ports::free(), ports::free());
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("bootstrap.yaml");
    let bootstrap = BOOTSTRAP
        .replace("ADMIN", &admin.to_string())
        .replace("PORT", &port.to_string())
        .replace("UPSTREAM", &upstream.to_string());
    std::fs::write(&config, bootstrap).unwrap();
    let mut command = Kind::Tandem.command(&config);
    command.args(more);
    let proxy = Proxy::launch("tandem", &mut command, folder, admin).await;
    (proxy.unwrap(), port)
}

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN } } }
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: up, timeout: 0s } }] }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: up
    connect_timeout: 1s
    load_assignment:
      cluster_name: up
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM } } }
"#;

/// Reads up to the empty line.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn write_gib(stream: &mut TcpStream) {
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..GIB >> 20 {
        stream.write_all(&chunk).await.unwrap();
    }
}

async fn read_gib(stream: &mut TcpStream) {
    let mut chunk = vec![0; 1 << 20];
    let mut left = GIB;
    while left > 0 {
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "{left} bytes are missing");
        left -= read as u64;
    }
}

/// 1 GiB up and 1 GiB down in one exchange: what the process holds does not grow with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_each_way_costs_no_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        read_gib(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {GIB}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        write_gib(&mut stream).await;
    });
    let (proxy, port) = proxy(upstream, &[]).await;
    let before = proxy.process.resident_kib();
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {GIB}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    write_gib(&mut client).await;
    let between = proxy.process.resident_kib();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
    read_gib(&mut client).await;
    server.await.unwrap();
    let after = proxy.process.resident_kib();
    let most = before + 16 * 1024;
    assert!(
        between < most && after < most,
        "{before}, {between}, {after} KiB"
    );
}

/// Answers with a field that is never the same, and a body that fills buffers.
async fn serials(mut stream: TcpStream) {
    let body = vec![b'x'; 128 * 1024];
    for serial in 0.. {
        head(&mut stream).await;
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nx-serial: {serial}\r\ncontent-length: {length}\r\n\r\n");
        let sent = stream.write_all(head.as_bytes()).await;
        if sent.is_err() || stream.write_all(&body).await.is_err() {
            return;
        }
    }
}

/// HPACK's table keeps values for as long as an HTTP/2 connection lasts: not all that an HTTP/1
/// upstream sent with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_http2_keep_nothing_of_what_http1_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serials(stream));
        }
    });
    let (proxy, port) = proxy(upstream, &[]).await;
    let request = Request {
        method: "GET".into(),
        path: "/".into(),
        authority: "any.test".into(),
        ..Request::default()
    };
    let mut clients = Vec::new();
    for _ in 0..16 {
        let mut client = h2c::Connection::open(port).await.unwrap();
        assert_eq!(client.exchange(&request).await.status, 200);
        clients.push(client);
    }
    let before = proxy.process.resident_kib();
    for _ in 0..50 {
        for client in &mut clients {
            assert_eq!(client.exchange(&request).await.status, 200);
        }
    }
    let after = proxy.process.resident_kib();
    assert!(after < before + 16 * 1024, "{before}, {after} KiB");
    server.abort();
}

/// An upstream that has the request and answers when it is told to.
async fn waiting() -> (u16, tokio::sync::oneshot::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (give, take) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let _ = give.send(stream);
    });
    (port, take)
}

/// SIGTERM: nothing new is accepted, what runs is finished and told that it was the last.
#[tokio::test]
async fn sigterm_finishes_what_runs() {
    let (upstream, request) = waiting().await;
    let (mut proxy, port) = proxy(upstream, &[]).await;
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut upstream = request.await.unwrap();

    proxy.process.signal("TERM");
    let refused = wait::until_async(wait::PATIENCE, async || {
        TcpStream::connect(("127.0.0.1", port)).await.is_err()
    });
    assert!(refused.await, "it still accepts");
    assert!(proxy.process.exited().is_none(), "it did not wait");

    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    upstream.write_all(answer).await.unwrap();
    let head = head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    let mut body = String::new();
    client.read_to_string(&mut body).await.unwrap();
    assert_eq!(body, "ok");
    let status = proxy.process.wait(wait::PATIENCE).await.expect("it ends");
    assert!(status.success(), "{status}");
}

/// What does not end in time is cut off.
#[tokio::test]
async fn a_drain_ends_in_time() {
    let (upstream, request) = waiting().await;
    let (mut proxy, port) = proxy(upstream, &["--drain-time-s", "1"]).await;
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let _upstream = request.await.unwrap();
    proxy.process.signal("TERM");
    let status = proxy.process.wait(Duration::from_secs(5)).await;
    assert!(status.is_some(), "it waits for ever");
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}
