//! Clusters whose hosts are where intercepted connections were going.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Response};
use support::*;
use tandem_core::Body;
use tandem_core::error::Kind;
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_model::Cluster;
use tandem_model::cluster::*;
use tandem_upstream::RoutePolicy;

const HEADER: HeaderName = HeaderName::from_static("x-envoy-original-dst-host");

fn original(settings: OriginalDst) -> Cluster {
    Cluster {
        discovery: Discovery::OriginalDst(settings),
        lb_policy: LbPolicy::ClusterProvided,
        ..Cluster::new("c")
    }
}

fn with_header() -> OriginalDst {
    OriginalDst {
        http_header: Some(HEADER),
        ..OriginalDst::default()
    }
}

fn naming(addr: &str) -> http::Request<Body> {
    let mut request = get("/");
    let value = HeaderValue::from_str(addr).unwrap();
    request.headers_mut().insert(HEADER, value);
    request
}

/// Requests go where their connection was going, on connections that are used again.
#[tokio::test]
async fn requests_go_where_their_connection_was_going() {
    let (addr, connections) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let mut rig = Rig::new(original(OriginalDst::default()), RoutePolicy::default());
    let nowhere = rig.send(get("/")).await.unwrap_err();
    assert!(matches!(nowhere.kind(), Kind::NoHealthyUpstream));
    rig.going_to = Some(addr);
    for _ in 0..3 {
        assert_eq!(rig.send(naming("127.0.0.1:1")).await.unwrap().status(), 200);
    }
    assert_eq!(connections.load(SeqCst), 1);
    assert_eq!(
        &*rig.info().upstream.load_full().unwrap().host,
        addr.to_string()
    );
    assert_eq!(rig.stat("upstream_cx_none_healthy"), 1);
    assert_eq!(rig.stat("membership_total"), 1);
    let shown = format!("c::{addr}::rq_success::3");
    assert!(rig.manager.admin_text().contains(&shown));
}

/// The header counts where it may, and where it says an address.
#[tokio::test]
async fn a_header_may_name_the_address() {
    let (addr, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let mut rig = Rig::new(original(with_header()), RoutePolicy::default());
    assert!(rig.send(naming(&addr.to_string())).await.is_ok());
    for wrong in [
        "localhost:80",
        "127.0.0.1",
        "127.0.0.1:65536",
        "[fe80::1%lo]:80",
        "",
    ] {
        assert!(rig.send(naming(wrong)).await.is_err(), "{wrong}");
    }
    rig.going_to = Some(addr);
    assert!(rig.send(naming("nonsense")).await.is_ok());
    assert_eq!(rig.stat("original_dst_host_invalid"), 6);
}

/// Another port may be set for all.
#[tokio::test]
async fn the_port_may_be_set() {
    let (addr, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let settings = OriginalDst {
        port_override: Some(addr.port()),
        ..OriginalDst::default()
    };
    let mut rig = Rig::new(original(settings), RoutePolicy::default());
    rig.going_to = Some(SocketAddr::from(([127, 0, 0, 1], 1)));
    assert!(rig.send(get("/")).await.is_ok());
}

/// A host is forgotten when it has no connections and nobody asked for it for a while.
#[tokio::test]
async fn unused_hosts_are_forgotten() {
    let (addr, _) = server(false, |_| async {
        let close = Response::builder().header("connection", "close");
        close.body(Body::empty()).unwrap()
    })
    .await;
    let (kept, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let settings = OriginalDst {
        cleanup_interval: Duration::from_millis(5),
        ..with_header()
    };
    let rig = Rig::new(original(settings), RoutePolicy::default());
    for addr in [addr, kept] {
        text(rig.send(naming(&addr.to_string())).await.unwrap()).await;
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while rig.stat("membership_total") != 1 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    let left = rig.manager.admin_text();
    assert!(left.contains(&format!("c::{kept}::cx_active::1")), "{left}");
}

/// Raw connections go there too, from the address that the cluster is bound to.
#[tokio::test]
async fn raw_connections_go_there_from_the_bound_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut config = original(OriginalDst::default());
    config.bind = Some(Arc::new(Bind {
        sources: vec!["127.0.0.6:0".parse().unwrap()],
        mark: None,
    }));
    let rig = Rig::new(config, RoutePolicy::default());
    let connection = ConnectionInfo {
        original_destination: Some(addr),
        ..ConnectionInfo::default()
    };
    let clusters = rig.manager.worker();
    let info = StreamInfo::new(Arc::new(connection), Protocol::Tcp, 1);
    let _upstream = clusters.connect_tcp("c", &info).await.unwrap();
    let (_, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.ip().to_string(), "127.0.0.6");
    assert_eq!(info.upstream.load_full().unwrap().local, Some(peer));
}
