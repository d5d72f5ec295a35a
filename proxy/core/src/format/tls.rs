//! The values of operators about TLS.

use std::io::Write as _;
use std::sync::Arc;

use tandem_model::format::{TlsFact, TlsSide};

use super::operator::{Kind, Out, some, text};
use super::{Context, time};
use crate::ext::{Certificate, TlsFacts};

/// Appends the value; `None`: it has none.
pub(super) fn write(
    side: TlsSide,
    fact: &TlsFact,
    context: &Context<'_>,
    out: Out<'_>,
) -> Option<Kind> {
    let connection = &context.info.connection;
    let facts: Arc<TlsFacts> = match (side, fact) {
        (_, TlsFact::TransportFailureReason) => {
            let reason = connection.transport_failure.get()?;
            // Envoy writes it as one word.
            return text(out, &some(reason)?.replace(' ', "_"));
        }
        (TlsSide::Downstream, _) => Arc::clone(connection.tls.as_ref()?),
        (TlsSide::Upstream, _) => context.info.upstream.load_full()?.tls.clone()?,
    };
    let peer = || facts.peer.as_deref();
    let local = || facts.local.as_deref();
    match fact {
        TlsFact::Version => text(out, some(facts.version)?),
        TlsFact::Cipher => text(out, some(facts.cipher)?),
        TlsFact::SessionId | TlsFact::TransportFailureReason => None,
        TlsFact::PeerSubject => text(out, some(&peer()?.subject)?),
        TlsFact::PeerIssuer => text(out, some(&peer()?.issuer)?),
        TlsFact::PeerSerial => text(out, some(&peer()?.serial)?),
        TlsFact::PeerCert => text(out, some(peer()?.url_encoded_pem())?),
        TlsFact::PeerCertStart(format) => {
            time::write(format.as_ref(), peer()?.not_before?, out);
            Some(Kind::Text)
        }
        TlsFact::PeerCertEnd(format) => {
            time::write(format.as_ref(), peer()?.not_after?, out);
            Some(Kind::Text)
        }
        TlsFact::PeerFingerprint1 => hex(out, &peer()?.sha1),
        TlsFact::PeerFingerprint256 => hex(out, &peer()?.sha256),
        TlsFact::PeerUriSan => list(out, peer(), |certificate| &certificate.uris),
        TlsFact::PeerDnsSan => list(out, peer(), |certificate| &certificate.dns),
        TlsFact::PeerIpSan => list(out, peer(), |certificate| &certificate.ips),
        TlsFact::PeerEmailSan => list(out, peer(), |certificate| &certificate.emails),
        TlsFact::LocalSubject => text(out, some(&local()?.subject)?),
        TlsFact::LocalUriSan => list(out, local(), |certificate| &certificate.uris),
        TlsFact::LocalDnsSan => list(out, local(), |certificate| &certificate.dns),
        TlsFact::LocalIpSan => list(out, local(), |certificate| &certificate.ips),
        TlsFact::LocalEmailSan => list(out, local(), |certificate| &certificate.emails),
    }
}

fn list(
    out: Out<'_>,
    certificate: Option<&Certificate>,
    names: impl Fn(&Certificate) -> &[Arc<str>],
) -> Option<Kind> {
    text(out, some(&names(certificate?).join(","))?)
}

fn hex(out: Out<'_>, bytes: &[u8]) -> Option<Kind> {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    Some(Kind::Text)
}
