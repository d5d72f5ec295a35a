//! Operators about TLS. They have no value on a plain connection, as in Envoy.

use super::TimeFormat;

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

/// Finds the operator; only those with times take an argument.
pub(super) fn operator(name: &str, argument: Option<&str>) -> Option<(TlsSide, TlsFact)> {
    use TlsFact as F;
    let (side, rest) = match name.strip_prefix("DOWNSTREAM_") {
        Some(rest) => (TlsSide::Downstream, rest),
        None => (TlsSide::Upstream, name.strip_prefix("UPSTREAM_")?),
    };
    let time = || argument.filter(|a| !a.is_empty()).map(TimeFormat::parse);
    let downstream = side == TlsSide::Downstream;
    let fact = match rest {
        "TLS_VERSION" => F::Version,
        "TLS_CIPHER" => F::Cipher,
        "TLS_SESSION_ID" => F::SessionId,
        "TRANSPORT_FAILURE_REASON" if downstream => F::TransportFailureReason,
        "PEER_SUBJECT" => F::PeerSubject,
        "PEER_ISSUER" => F::PeerIssuer,
        "PEER_SERIAL" if downstream => F::PeerSerial,
        "PEER_CERT" => F::PeerCert,
        "PEER_CERT_V_START" if downstream => F::PeerCertStart(time()),
        "PEER_CERT_V_END" if downstream => F::PeerCertEnd(time()),
        "PEER_FINGERPRINT_1" if downstream => F::PeerFingerprint1,
        "PEER_FINGERPRINT_256" if downstream => F::PeerFingerprint256,
        "PEER_URI_SAN" => F::PeerUriSan,
        "PEER_DNS_SAN" => F::PeerDnsSan,
        "PEER_IP_SAN" => F::PeerIpSan,
        "PEER_EMAIL_SAN" if downstream => F::PeerEmailSan,
        "LOCAL_SUBJECT" if downstream => F::LocalSubject,
        "LOCAL_URI_SAN" => F::LocalUriSan,
        "LOCAL_DNS_SAN" => F::LocalDnsSan,
        "LOCAL_IP_SAN" => F::LocalIpSan,
        "LOCAL_EMAIL_SAN" if downstream => F::LocalEmailSan,
        _ => return None,
    };
    let timed = matches!(fact, F::PeerCertStart(_) | F::PeerCertEnd(_));
    (timed || argument.is_none()).then_some((side, fact))
}
