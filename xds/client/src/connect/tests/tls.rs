//! Channels over TLS.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::connect::Tls;

/// A server's settings for `name`, and the client's that trust it.
fn pair(name: &str, protocols: &[&str]) -> (TlsAcceptor, Tls) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let secret = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .unwrap();
    server.alpn_protocols = protocols.iter().map(|one| (*one).into()).collect();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    (TlsAcceptor::from(Arc::new(server)), client(roots))
}

fn client(roots: RootCertStore) -> Tls {
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Tls {
        config: Arc::new(config),
        server_name: None,
    }
}

pub(super) fn trusting_nobody() -> Tls {
    client(RootCertStore::empty())
}

/// The same server, without the other addresses that its name may have: of them nobody listens.
fn by_number(endpoint: Address, mut tls: Tls) -> (Address, Tls) {
    let Address::Tcp { host, port } = endpoint else {
        panic!("expected a name, got {endpoint}");
    };
    tls.server_name = Some(host.try_into().unwrap());
    let host = "127.0.0.1".to_owned();
    (Address::Tcp { host, port }, tls)
}

async fn server(acceptor: TlsAcceptor) -> (Address, Served) {
    let (listener, address) = listen().await;
    let echo = service_fn(|request| echo("tls", request));
    let served = serve(listener, move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                http2(stream, echo).await;
            }
        }
    });
    (tcp("localhost", address.port()), served)
}

fn channel(endpoint: Address, tls: Tls) -> Channel {
    Channel::new(Server {
        tls: Some(tls),
        ..Server::new([endpoint])
    })
}

#[tokio::test]
async fn the_endpoints_host_is_verified_and_http_2_is_offered() {
    let (acceptor, tls) = pair("localhost", &["h2"]);
    let (endpoint, _served) = server(acceptor).await;
    let uri = format!("https://{endpoint}/a?b");
    assert_eq!(seen(&channel(endpoint, tls), "uri").await, uri);
}

#[tokio::test]
async fn the_name_asked_for_can_be_another_than_the_endpoints() {
    let (acceptor, mut tls) = pair("istiod.istio-system.svc", &[]);
    let (endpoint, _served) = server(acceptor).await;
    let error = get(&channel(endpoint.clone(), tls.clone())).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("localhost"), "{error}");
    tls.server_name = Some("istiod.istio-system.svc".try_into().unwrap());
    assert_eq!(seen(&channel(endpoint, tls), "server").await, "tls");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_refused() {
    let (acceptor, _) = pair("localhost", &["h2"]);
    let (endpoint, _served) = server(acceptor).await;
    let (endpoint, tls) = by_number(endpoint, trusting_nobody());
    let error = get(&channel(endpoint, tls)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn a_server_that_chooses_another_protocol_is_refused() {
    let (acceptor, mut tls) = pair("localhost", &["http/1.1"]);
    Arc::make_mut(&mut tls.config).alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    let (endpoint, _served) = server(acceptor).await;
    let (endpoint, tls) = by_number(endpoint, tls);
    let error = get(&channel(endpoint.clone(), tls)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("connect to {endpoint}: application protocol `http/1.1`, expected `h2`")
    );
}
