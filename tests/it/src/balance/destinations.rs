//! ORIGINAL_DST clusters and bound connections, beside Envoy.

use std::net::SocketAddr;

use tandem_harness::client::h1::Connection;
use tandem_harness::{Kind, ports};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::cluster::Cluster;

/// Answers every connection with the address that it came from.
async fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, peer)) = listener.accept().await {
            let ip = peer.ip().to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{ip}",
                ip.len()
            );
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    addr
}

/// The status, and the body.
async fn ask(cluster: &Cluster, destination: &str) -> (u16, String) {
    let mut connection = Connection::open(cluster.port).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-envoy-original-dst-host: {destination}\r\n\
         connection: close\r\n\r\n"
    );
    connection.send(request.as_bytes()).await.unwrap();
    let answer = connection.response("GET").await.unwrap();
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    (answer.status, body)
}

/// The header names the destination, where it is an address; a connection that was not redirected
/// has no other.
#[tokio::test]
async fn a_header_names_the_destination() {
    let addr = mirror().await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let fields = "
type: ORIGINAL_DST
lb_policy: CLUSTER_PROVIDED
original_dst_lb_config: { use_http_header: true }";
    let mut seen = Vec::new();
    for kind in [Kind::Tandem, Kind::Envoy] {
        let cluster = Cluster::start_as(kind, fields, "").await;
        let mut answers = Vec::new();
        let port = addr.port();
        for destination in [
            addr.to_string(),
            format!("localhost:{port}"),
            "127.0.0.1".to_owned(),
            format!(" {addr} "),
            format!("127.0.0.1:{port}0000"),
            format!("[::ffff:127.0.0.1]:{port}"),
            nobody.to_string(),
        ] {
            let (status, body) = ask(&cluster, &destination).await;
            answers.push((destination, status, body));
        }
        let invalid = cluster.stat("original_dst_host_invalid").await;
        let nowhere = cluster.stat("upstream_cx_none_healthy").await;
        seen.push((answers, invalid, nowhere, cluster.hosts().await));
    }
    assert_eq!(seen[0].0[0].1, 200);
    assert_eq!(seen[0], seen[1]);
}

/// A port may be set for all.
#[tokio::test]
async fn the_port_may_be_set() {
    let addr = mirror().await;
    let fields = format!(
        "
type: ORIGINAL_DST
lb_policy: CLUSTER_PROVIDED
original_dst_lb_config: {{ use_http_header: true, upstream_port_override: {} }}",
        addr.port()
    );
    for kind in [Kind::Tandem, Kind::Envoy] {
        let cluster = Cluster::start_as(kind, &fields, "").await;
        assert_eq!(ask(&cluster, "127.0.0.1:1").await.0, 200, "{kind:?}");
    }
}

/// Connections come from the bound address; where that is not this machine's, nobody is reached.
#[tokio::test]
async fn connections_come_from_the_bound_address() {
    let addr = mirror().await;
    let localities = format!(
        "- lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, \
         port_value: {} }} }} }} }}]",
        addr.port()
    );
    let mut seen = Vec::new();
    for kind in [Kind::Tandem, Kind::Envoy] {
        let mut answers = Vec::new();
        for source in ["127.0.0.6", "192.0.2.1"] {
            let fields = format!(
                "upstream_bind_config: {{ source_address: {{ address: {source}, port_value: 0 }} }}"
            );
            let cluster = Cluster::start_as(kind, &fields, &localities).await;
            answers.push(ask(&cluster, "").await);
            answers.push((cluster.stat("bind_errors").await as u16, String::new()));
        }
        seen.push(answers);
    }
    assert_eq!(seen[0][0], (200, "127.0.0.6".to_owned()));
    assert_eq!(seen[0], seen[1]);
}
