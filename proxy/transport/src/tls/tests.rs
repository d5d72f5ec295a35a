//! Handshakes of our client with our server, over memory.

mod alpn;
mod identities;
mod own;
mod peers;
mod rotation;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use tandem_model::tls::{
    CommonTls, DataSource, DownstreamTls, SecretRef, TlsCertificate, TlsVersion, UpstreamTls,
    Validation, ValidationRef,
};
use tokio::io::DuplexStream;

use super::{Accepted, ClientContext, Connected, Failure, Peer, Secrets, ServerContext};

/// An authority of the test's own.
pub(super) struct Authority {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        let name = format!("authority {}", NUMBER.fetch_add(1, Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a root").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate with these URIs (with `://`) and host names.
    pub(super) fn issue(&self, names: &[&str]) -> Arc<TlsCertificate> {
        self.issue_with(names, |_| {})
    }

    pub(super) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<TlsCertificate> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        for name in names {
            let text = (*name).try_into().expect("a name");
            params.subject_alt_names.push(if name.contains("://") {
                SanType::URI(text)
            } else {
                SanType::DnsName(text)
            });
        }
        change(&mut params);
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        Arc::new(TlsCertificate {
            chain: DataSource::Inline(signed.pem().into()),
            key: DataSource::Inline(key.serialize_pem().into()),
            watched_directory: None,
        })
    }

    /// Rules that trust it alone.
    pub(super) fn rules(&self) -> Validation {
        Validation {
            trusted_ca: Some(DataSource::Inline(self.pem.clone().into())),
            ..Validation::default()
        }
    }
}

fn common(certificate: Option<&Arc<TlsCertificate>>, rules: Option<Validation>) -> CommonTls {
    CommonTls {
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
        cipher_suites: Vec::new(),
        curves: Vec::new(),
        alpn: Vec::new(),
        certificates: certificate
            .map(|one| SecretRef::Inline(Arc::clone(one)))
            .into_iter()
            .collect(),
        validation: rules.map(|rules| ValidationRef::Inline(Arc::new(rules))),
    }
}

fn downstream(common: CommonTls, require_client_certificate: bool) -> DownstreamTls {
    DownstreamTls {
        common,
        require_client_certificate,
        disable_stateless_session_resumption: false,
        disable_stateful_session_resumption: false,
        prefer_client_ciphers: false,
    }
}

fn upstream(common: CommonTls) -> UpstreamTls {
    UpstreamTls {
        common,
        sni: "".into(),
        auto_host_sni: false,
        auto_sni_san_validation: false,
        max_session_keys: 1,
    }
}

fn server(config: DownstreamTls) -> ServerContext {
    ServerContext::new(Arc::new(config), &Secrets::default()).expect("a context")
}

fn client(config: UpstreamTls) -> ClientContext {
    ClientContext::new(Arc::new(config), &Secrets::default()).expect("a context")
}

fn peer() -> Peer<'static> {
    Peer {
        address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        sni: None,
        check_name: false,
        offer: super::Offer::Nothing,
    }
}

type Both = (
    Result<Accepted<DuplexStream>, Failure>,
    Result<Connected<DuplexStream>, Failure>,
);

async fn shake(server: &ServerContext, client: &ClientContext, peer: Peer<'_>) -> Both {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let both = tokio::join!(server.accept(near), client.connect(far, peer));
    // A client of TLS 1.3 is done before the server has judged it, and hears the verdict with
    // the first bytes that it reads.
    both
}
