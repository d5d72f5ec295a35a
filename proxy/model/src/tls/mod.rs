//! TLS as it is configured (`extensions.transport_sockets.tls.v3`): what is offered and asked
//! for, and where certificates come from.

mod secret;
mod validation;

pub use secret::{
    DataSource, SdsSecret, Secret, SecretKind, SecretRef, SecretSource, TlsCertificate,
};
pub use validation::{
    CertificateHash, SanKind, SanMatcher, SpkiHash, TrustVerification, Validation, ValidationRef,
};

use std::sync::Arc;

/// What both sides share (`CommonTlsContext`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommonTls {
    /// Oldest version spoken; default TLS 1.2.
    pub min_version: TlsVersion,
    /// Newest version spoken; default TLS 1.3.
    pub max_version: TlsVersion,
    /// Cipher suites of TLS 1.2, the preferred first; empty: all that there are. (Those of
    /// TLS 1.3 cannot be chosen, here as in Envoy.)
    pub cipher_suites: Vec<CipherSuite>,
    /// Groups of the key exchange, the preferred first; empty: X25519, then P-256.
    pub curves: Vec<Curve>,
    /// Protocols offered or accepted, the preferred first.
    pub alpn: Vec<Arc<str>>,
    /// This side's certificates. A server answers with the one that fits the client best.
    pub certificates: Vec<SecretRef<TlsCertificate>>,
    /// How the peer's certificate is judged; `None`: whatever it has is taken.
    pub validation: Option<ValidationRef>,
}

/// TLS with clients (`DownstreamTlsContext`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DownstreamTls {
    /// What both sides share.
    pub common: CommonTls,
    /// Refuse clients without a certificate.
    pub require_client_certificate: bool,
    /// Refuse to resume sessions by tickets.
    pub disable_stateless_session_resumption: bool,
    /// Refuse to resume sessions by their id (TLS 1.2).
    pub disable_stateful_session_resumption: bool,
    /// Choose cipher suites in the client's order of preference; default: the server's.
    pub prefer_client_ciphers: bool,
}

/// TLS with endpoints (`UpstreamTlsContext`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamTls {
    /// What both sides share.
    pub common: CommonTls,
    /// The server name to send; may be empty, and need not be a valid host name.
    pub sni: Arc<str>,
    /// Send the endpoint's host name as server name instead, if it has one.
    pub auto_host_sni: bool,
    /// The certificate must be for the server name that was sent.
    pub auto_sni_san_validation: bool,
    /// Sessions kept for resumption per context; default 1; 0: none.
    pub max_session_keys: u32,
}

/// What a connection of a cluster is wrapped in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpstreamTransport {
    /// Nothing (`raw_buffer`).
    #[default]
    Raw,
    /// TLS.
    Tls(Arc<UpstreamTls>),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    /// As logs print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        }
    }
}

/// A cipher suite of TLS 1.2, by OpenSSL's name without the dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
pub enum CipherSuite {
    EcdheEcdsaAes128GcmSha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheEcdsaChacha20Poly1305,
    EcdheRsaAes128GcmSha256,
    EcdheRsaAes256GcmSha384,
    EcdheRsaChacha20Poly1305,
}

/// A group of the key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// X25519.
    X25519,
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// X25519 with ML-KEM-768.
    X25519MlKem768,
}
