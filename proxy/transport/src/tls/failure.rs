//! Why a handshake failed, in Envoy's words.

use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use super::verify::{Failed, Noted};

/// A handshake that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What it was.
    pub kind: FailureKind,
    /// `%UPSTREAM_TRANSPORT_FAILURE_REASON%` or its downstream counterpart; empty if the peer
    /// just went away.
    pub reason: Arc<str>,
}

/// What a failed handshake counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The peer went away without a word of TLS.
    Closed,
    /// A fault of the protocol, or an alert.
    Protocol,
    /// The peer had to show a certificate and did not.
    NoCertificate,
    /// Its certificate has no chain to a root, or was revoked, or is out of time.
    Chain,
    /// Its certificate has none of the names asked for.
    Names,
    /// Its certificate is none of those that were pinned.
    Pins,
    /// A secret that is needed has not come yet.
    NoSecret,
}

impl Failure {
    pub(super) fn of(error: &io::Error, noted: Noted) -> Self {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        match (tls, noted.failed) {
            (_, Some((failed, words))) => {
                let kind = match failed {
                    Failed::Chain => FailureKind::Chain,
                    Failed::Names => FailureKind::Names,
                    Failed::Pins => FailureKind::Pins,
                };
                let code = Code(125, "CERTIFICATE_VERIFY_FAILED");
                // Without rules of its own Envoy leaves it to BoringSSL, which says no more.
                Self::new(
                    kind,
                    match words.as_str() {
                        "" => code.line(""),
                        words => code.line(&format!("verify cert failed: {words}")),
                    },
                )
            }
            (Some(Error::NoCertificatesPresented), _) => Self::new(
                FailureKind::NoCertificate,
                Code(192, "PEER_DID_NOT_RETURN_A_CERTIFICATE")
                    .line("peer did not provide required client certificate"),
            ),
            (Some(error), _) => Self::new(FailureKind::Protocol, code(error).line("")),
            (None, _) => Self::new(FailureKind::Closed, String::new()),
        }
    }

    pub(super) fn no_secret() -> Self {
        let reason = "TLS error: Secret is not supplied by SDS";
        Self::new(FailureKind::NoSecret, reason.to_owned())
    }

    pub(super) fn no_name() -> Self {
        let code = Code(125, "CERTIFICATE_VERIFY_FAILED");
        Self::new(
            FailureKind::Names,
            code.line("verify cert failed: verify SAN list"),
        )
    }

    fn new(kind: FailureKind, reason: String) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }
}

/// A reason by BoringSSL's number and name.
struct Code(u32, &'static str);

impl Code {
    /// As its error queue prints it; reasons of TLS are numbered from this.
    fn line(&self, more: &str) -> String {
        const SSL: u32 = 16 << 24;
        let Self(number, name) = self;
        let (colon, more) = if more.is_empty() {
            ("", "")
        } else {
            (":", more)
        };
        let number = SSL + number;
        format!(
            "TLS_error:|{number}:SSL routines:OPENSSL_internal:{name}{colon}{more}:TLS_error_end"
        )
    }
}

fn code(error: &Error) -> Code {
    match error {
        Error::AlertReceived(alert) => received(*alert),
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            Code(184, "NO_SHARED_CIPHER")
        }
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => {
            Code(258, "NO_SHARED_GROUP")
        }
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ) => Code(240, "UNSUPPORTED_PROTOCOL"),
        Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon) => {
            Code(253, "NO_COMMON_SIGNATURE_ALGORITHMS")
        }
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
            Code(259, "INVALID_ALPN_PROTOCOL")
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Code(247, "WRONG_VERSION_NUMBER"),
        Error::InvalidMessage(_) => Code(137, "DECODE_ERROR"),
        Error::DecryptError => Code(126, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
        _ => Code(231, "UNEXPECTED_MESSAGE"),
    }
}

/// An alert from the peer: 1000 and its number.
fn received(alert: AlertDescription) -> Code {
    use AlertDescription as A;
    let name = match alert {
        A::UnexpectedMessage => "SSLV3_ALERT_UNEXPECTED_MESSAGE",
        A::BadRecordMac => "SSLV3_ALERT_BAD_RECORD_MAC",
        A::HandshakeFailure => "SSLV3_ALERT_HANDSHAKE_FAILURE",
        A::NoCertificate => "SSLV3_ALERT_NO_CERTIFICATE",
        A::BadCertificate => "SSLV3_ALERT_BAD_CERTIFICATE",
        A::UnsupportedCertificate => "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        A::CertificateRevoked => "SSLV3_ALERT_CERTIFICATE_REVOKED",
        A::CertificateExpired => "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        A::CertificateUnknown => "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        A::IllegalParameter => "SSLV3_ALERT_ILLEGAL_PARAMETER",
        A::UnknownCA => "TLSV1_ALERT_UNKNOWN_CA",
        A::AccessDenied => "TLSV1_ALERT_ACCESS_DENIED",
        A::DecodeError => "TLSV1_ALERT_DECODE_ERROR",
        A::DecryptError => "TLSV1_ALERT_DECRYPT_ERROR",
        A::ProtocolVersion => "TLSV1_ALERT_PROTOCOL_VERSION",
        A::InsufficientSecurity => "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        A::InternalError => "TLSV1_ALERT_INTERNAL_ERROR",
        A::UnrecognisedName => "TLSV1_UNRECOGNIZED_NAME",
        A::CertificateRequired => "TLSV1_CERTIFICATE_REQUIRED",
        A::NoApplicationProtocol => "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        _ => "TLSV1_ALERT",
    };
    Code(1000 + u32::from(u8::from(alert)), name)
}

#[cfg(test)]
mod tests;
