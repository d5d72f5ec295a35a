//! Operators about TLS. They have no value on a plain connection, as in Envoy.

use super::{TimeFormat, arguments};

/// Which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsSide {
    /// The client's.
    Downstream,
    /// The endpoint's.
    Upstream,
}

/// What of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "named as in Envoy's documentation, which defines them"
)]
pub enum TlsFact {
    Version,
    Cipher,
    /// There is none to be had: sessions are resumed by tickets.
    SessionId,
    TransportFailureReason,
    PeerSubject,
    PeerIssuer,
    PeerSerial,
    PeerCert,
    PeerCertStart(Option<TimeFormat>),
    PeerCertEnd(Option<TimeFormat>),
    PeerFingerprint1,
    PeerFingerprint256,
    PeerUriSan,
    PeerDnsSan,
    PeerIpSan,
    PeerEmailSan,
    LocalSubject,
    LocalUriSan,
    LocalDnsSan,
    LocalIpSan,
    LocalEmailSan,
}

/// By name, whether the endpoint's side has it too, and what makes it of the format of a time.
type Fact = (&'static str, bool, fn(Option<TimeFormat>) -> TlsFact);

use TlsFact as F;

const FACTS: &[Fact] = &[
    ("TLS_VERSION", true, |_| F::Version),
    ("TLS_CIPHER", true, |_| F::Cipher),
    ("TLS_SESSION_ID", true, |_| F::SessionId),
    ("TRANSPORT_FAILURE_REASON", false, |_| {
        F::TransportFailureReason
    }),
    ("PEER_SUBJECT", true, |_| F::PeerSubject),
    ("PEER_ISSUER", true, |_| F::PeerIssuer),
    ("PEER_SERIAL", false, |_| F::PeerSerial),
    ("PEER_CERT", true, |_| F::PeerCert),
    ("PEER_CERT_V_START", false, F::PeerCertStart),
    ("PEER_CERT_V_END", false, F::PeerCertEnd),
    ("PEER_FINGERPRINT_1", false, |_| F::PeerFingerprint1),
    ("PEER_FINGERPRINT_256", false, |_| F::PeerFingerprint256),
    ("PEER_URI_SAN", true, |_| F::PeerUriSan),
    ("PEER_DNS_SAN", true, |_| F::PeerDnsSan),
    ("PEER_IP_SAN", true, |_| F::PeerIpSan),
    ("PEER_EMAIL_SAN", false, |_| F::PeerEmailSan),
    ("LOCAL_SUBJECT", false, |_| F::LocalSubject),
    ("LOCAL_URI_SAN", true, |_| F::LocalUriSan),
    ("LOCAL_DNS_SAN", true, |_| F::LocalDnsSan),
    ("LOCAL_IP_SAN", true, |_| F::LocalIpSan),
    ("LOCAL_EMAIL_SAN", false, |_| F::LocalEmailSan),
];

fn is_timed(name: &str) -> bool {
    name.ends_with("_V_START") || name.ends_with("_V_END")
}

/// Finds the operator; only those with times take an argument.
pub(super) fn operator(name: &str, argument: Option<&str>) -> Option<(TlsSide, TlsFact)> {
    let (side, rest) = match name.strip_prefix("DOWNSTREAM_") {
        Some(rest) => (TlsSide::Downstream, rest),
        None => (TlsSide::Upstream, name.strip_prefix("UPSTREAM_")?),
    };
    let mut facts = FACTS.iter();
    let (_, _, make) = facts.find(|(known, upstream, _)| {
        *known == rest && (*upstream || side == TlsSide::Downstream)
    })?;
    (argument.is_none() || is_timed(rest)).then(|| (side, make(arguments::time(argument))))
}

/// All of them, with an example of what they take.
pub(super) fn names() -> impl Iterator<Item = (String, &'static str)> {
    FACTS.iter().flat_map(|(name, upstream, _)| {
        let argument = if is_timed(name) { "%s" } else { "" };
        let upstream = upstream.then(|| (format!("UPSTREAM_{name}"), argument));
        std::iter::once((format!("DOWNSTREAM_{name}"), argument)).chain(upstream)
    })
}
