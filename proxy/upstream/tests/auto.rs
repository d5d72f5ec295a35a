//! Hosts that say themselves which HTTP they want.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::*;
use tandem_core::Body;
use tandem_model::cluster::UpstreamProtocol;
use tandem_model::tls::{CommonTls, TlsVersion, UpstreamTls, UpstreamTransport};
use tandem_upstream::RoutePolicy;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A server over TLS whose connections agree to HTTP/2 or not.
struct Host {
    addr: SocketAddr,
    http2: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    /// Ends all connections.
    restart: Arc<Notify>,
    gone: Arc<AtomicUsize>,
}

async fn host(http2: bool, takes: Duration) -> Host {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["a.test".to_owned()]);
    let certificate = certificate.unwrap().self_signed(&key).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(Mutex::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host {
        addr: listener.local_addr().unwrap(),
        http2: Arc::new(AtomicBool::new(http2)),
        connections: Arc::default(),
        restart: Arc::default(),
        gone: Arc::default(),
    };
    let (http2, connections) = (Arc::clone(&host.http2), Arc::clone(&host.connections));
    let (restart, gone) = (Arc::clone(&host.restart), Arc::clone(&host.gone));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, SeqCst);
            let is_http2 = http2.load(SeqCst);
            let alpn: &[u8] = if is_http2 { b"h2" } else { b"http/1.1" };
            let mut config = config.lock().unwrap().clone();
            config.alpn_protocols = vec![alpn.to_vec()];
            let (restart, gone) = (Arc::clone(&restart), Arc::clone(&gone));
            tokio::spawn(async move {
                let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
                let ended = restart.notified();
                let serve = async {
                    let io = TokioIo::new(acceptor.accept(stream).await.unwrap());
                    let service = service_fn(|request: http::Request<_>| async move {
                        tokio::time::sleep(takes).await;
                        let version = format!("{:?}", request.version());
                        Ok::<_, std::convert::Infallible>(Response::new(Body::from(version)))
                    });
                    if is_http2 {
                        let builder =
                            hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        let _ = builder.serve_connection(io, service).await;
                    } else {
                        let builder = hyper::server::conn::http1::Builder::new();
                        let _ = builder.serve_connection(io, service).await;
                    }
                };
                tokio::select! {
                    () = serve => {}
                    () = ended => {}
                }
                gone.fetch_add(1, SeqCst);
            });
        }
    });
    host
}

fn config(host: &Host) -> tandem_model::Cluster {
    let mut config = cluster(&[host.addr]);
    config.http.protocol = UpstreamProtocol::Auto;
    config.transport_socket = UpstreamTransport::Tls(Arc::new(UpstreamTls {
        common: CommonTls {
            min_version: TlsVersion::V1_2,
            max_version: TlsVersion::V1_3,
            cipher_suites: Vec::new(),
            curves: Vec::new(),
            alpn: Vec::new(),
            certificates: Vec::new(),
            validation: None,
        },
        sni: "a.test".into(),
        auto_host_sni: false,
        auto_sni_san_validation: false,
        max_session_keys: 1,
    }));
    config
}

/// A host that comes back with another version is spoken to in that one.
#[tokio::test]
async fn a_host_may_change_its_mind() {
    let host = host(true, Duration::ZERO).await;
    let rig = Rig::new(config(&host), RoutePolicy::default());
    for (number, http2) in [true, false, true].into_iter().enumerate() {
        host.http2.store(http2, SeqCst);
        host.restart.notify_waiters();
        while host.gone.load(SeqCst) < number {
            tokio::task::yield_now().await;
        }
        events_are_heard().await;
        let version = if http2 { "HTTP/2.0" } else { "HTTP/1.1" };
        for _ in 0..2 {
            assert_eq!(text(rig.send(get("/")).await.unwrap()).await, version);
        }
        assert_eq!(host.connections.load(SeqCst), number + 1);
    }
    assert_eq!(rig.stat("upstream_cx_http1_total"), 1);
    assert_eq!(rig.stat("upstream_cx_http2_total"), 2);
    assert_eq!(rig.stat("upstream_rq_total"), 6);
}

/// The first requests keep to the limits, too.
#[tokio::test]
async fn the_first_requests_keep_to_the_limits() {
    for http2 in [true, false] {
        let host = host(http2, Duration::from_millis(5)).await;
        let mut config = config(&host);
        config.circuit_breakers.max_connections = 1;
        config.circuit_breakers.max_pending_requests = 2;
        let rig = Rig::new(config, RoutePolicy::default());
        let requests = (0..12).map(|_| async { rig.send(get("/")).await.is_ok() });
        let answered = futures_util::future::join_all(requests).await;
        let answered = answered.iter().filter(|answered| **answered).count();
        assert_eq!(answered, 2, "http2: {http2}");
        assert_eq!(host.connections.load(SeqCst), 1);
        assert_eq!(rig.stat("upstream_cx_total"), 1);
        assert_eq!(rig.stat("upstream_rq_pending_overflow"), 10);
        assert_eq!(rig.stat("upstream_rq_pending_total"), 2);
        assert_eq!(rig.stat("upstream_rq_pending_active"), 0);
    }
}
