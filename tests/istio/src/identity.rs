//! Who a workload is: certificates by istiod, and by the authority behind it.

use std::io::{Error, Result};
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use prost::Message;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tandem_harness::certs::Issued;
use tonic::codegen::http::uri::PathAndQuery;

use crate::istiod::{NAME, Plane, local};
use crate::network::Machine;

/// A request of `istio.v1.auth.IstioCertificateService`.
#[derive(Clone, PartialEq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    csr: String,
    /// In seconds.
    #[prost(int64, tag = "3")]
    validity: i64,
}

/// Its answer: PEM, the leaf first.
#[derive(Clone, PartialEq, Message)]
struct Answered {
    #[prost(string, repeated, tag = "1")]
    chain: Vec<String>,
}

/// By what somebody shows who they are.
pub enum Proof<'a> {
    /// By nothing.
    None,
    /// By a token of their service account.
    Token(&'a str),
    /// By the certificate that they have.
    Certificate(&'a Issued),
}

/// The name of a service account of the default namespace.
pub fn spiffe(account: &str) -> String {
    format!("spiffe://cluster.local/ns/default/sa/{account}")
}

/// Asks istiod for a certificate.
///
/// # Errors
/// Why there is none.
pub async fn ask(
    plane: &Plane,
    machine: &Machine,
    account: &str,
    proof: Proof<'_>,
) -> Result<Issued> {
    let key = KeyPair::generate().map_err(Error::other)?;
    let mut params = CertificateParams::default();
    let uri = spiffe(account).try_into().map_err(Error::other)?;
    params.subject_alt_names.push(SanType::URI(uri));
    let csr = params.serialize_request(&key).map_err(Error::other)?;
    let csr = csr.pem().map_err(Error::other)?;
    let mut request = tonic::Request::new(Asked {
        csr,
        validity: 86_400,
    });
    let certificate = match proof {
        Proof::None => None,
        Proof::Token(token) => {
            let value = format!("Bearer {token}").parse().map_err(Error::other)?;
            request.metadata_mut().insert("authorization", value);
            None
        }
        Proof::Certificate(issued) => Some(issued),
    };
    let tls = tokio_rustls::TlsConnector::from(Arc::new(client(&plane.root, certificate)?));
    let name = NAME.try_into().map_err(Error::other)?;
    let stream = tls.connect(name, machine.connect(&local(15012))?).await?;
    let mut stream = Some(TokioIo::new(stream));
    let only = tower::service_fn(move |_| {
        let stream = stream
            .take()
            .ok_or_else(|| Error::other("expected one connection"));
        async move { stream }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://istiod");
    let channel = endpoint
        .connect_with_connector(only)
        .await
        .map_err(Error::other)?;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(Error::other)?;
    let path =
        PathAndQuery::from_static("/istio.v1.auth.IstioCertificateService/CreateCertificate");
    let codec = tonic_prost::ProstCodec::<Asked, Answered>::default();
    let answer = grpc
        .unary(request, path, codec)
        .await
        .map_err(Error::other)?;
    Ok(Issued {
        chain: answer.into_inner().chain.concat(),
        key: key.serialize_pem(),
    })
}

fn client(root: &str, certificate: Option<&Issued>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(root.as_bytes()) {
        roots
            .add(root.map_err(Error::other)?)
            .map_err(Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?;
    let builder = builder.with_root_certificates(roots);
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some(issued) => {
            let chain: std::result::Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(issued.chain.as_bytes()).collect();
            let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).map_err(Error::other)?;
            let chain = chain.map_err(Error::other)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(Error::other)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
