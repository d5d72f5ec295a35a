//! What Envoy says of a chain that does not hold, since logs are searched for it.

use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use webpki::Error;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Trust;
use super::judge::Shown;
use super::revocation::Missing;
use crate::tls::certificate;

/// The words, with the place in the chain that they are about.
pub(super) fn of_chain(error: &Error, shown: &Shown<'_>, trust: &Trust) -> String {
    let chain = || std::iter::once(shown.leaf).chain(shown.intermediates);
    let seconds = i64::try_from(shown.now.as_secs()).unwrap_or(i64::MAX);
    let root_depth = || shown.intermediates.len() + 1;
    let out_of_time = |early: bool| {
        let is_out = |one: &CertificateDer<'_>| {
            certificate::validity(one)
                .is_some_and(|(from, to)| if early { seconds < from } else { seconds > to })
        };
        chain().position(is_out).unwrap_or_else(root_depth)
    };
    let (depth, words) = match error {
        Error::CertExpired { .. } => (out_of_time(false), "certificate has expired"),
        Error::CertNotValidYet { .. } => (out_of_time(true), "certificate is not yet valid"),
        Error::CertRevoked => {
            let depth = trust.lists.revoked(&shown.chain(trust), shown.now);
            return by_lists(depth.unwrap_or_else(root_depth), "certificate revoked");
        }
        // Envoy looks for all lists before it looks at any.
        Error::UnknownRevocationStatus
        | Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner => match trust.lists.missing(&shown.chain(trust), shown.now) {
            Some((depth, why)) => {
                let words = match why {
                    Missing::Late => "CRL has expired",
                    Missing::Early => "CRL is not yet valid",
                    Missing::None => "unable to get certificate CRL",
                };
                return by_lists(depth, words);
            }
            None if *error == Error::IssuerNotCrlSigner => {
                (0, "key usage does not include CRL signing")
            }
            None => (0, "CRL signature failure"),
        },
        Error::InvalidSignatureForPublicKey => (0, "certificate signature failure"),
        Error::RequiredEkuNotFoundContext(_) => (0, "unsupported certificate purpose"),
        Error::MaximumPathDepthExceeded => {
            (shown.intermediates.len(), "certificate chain too long")
        }
        Error::EndEntityUsedAsCa => (1, "invalid CA certificate"),
        Error::UnknownIssuer | Error::CaUsedAsEndEntity => no_issuer(shown, trust),
        _ => (0, "certificate rejected"),
    };
    format!("X509_verify_cert: certificate verification error at depth {depth}: {words}")
}

fn by_lists(depth: usize, words: &str) -> String {
    format!(
        "X509_verify_cert: certificate verification error at depth {depth}: certificate revocation \
         check against provided CRLs failed: {words}"
    )
}

/// Follows the names up to where no issuer is known.
fn no_issuer(shown: &Shown<'_>, trust: &Trust) -> (usize, &'static str) {
    let mut depth = 0;
    let Some(mut at) = names(shown.leaf) else {
        return (0, "unable to get local issuer certificate");
    };
    while depth <= shown.intermediates.len() {
        let (subject, issuer) = &at;
        if subject == issuer {
            return match depth {
                0 => (0, "self signed certificate"),
                depth => (depth, "self signed certificate in certificate chain"),
            };
        }
        let is_issuer = |one: &&CertificateDer<'_>| names(one).is_some_and(|(s, _)| s == *issuer);
        let roots = trust.roots.iter().map(|(root, _)| root);
        if roots.clone().any(|root| is_issuer(&root)) {
            return (depth, "certificate signature failure");
        }
        match shown
            .intermediates
            .iter()
            .find(is_issuer)
            .and_then(|one| names(one))
        {
            Some(next) => at = next,
            None => break,
        }
        depth += 1;
    }
    (depth, "unable to get local issuer certificate")
}

/// Subject and issuer, encoded.
fn names(der: &CertificateDer<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some((
        parsed.subject().as_raw().to_vec(),
        parsed.issuer().as_raw().to_vec(),
    ))
}

/// What decides which alert the peer gets.
pub(super) fn to_rustls(error: &Error) -> CertificateError {
    match error {
        Error::CertExpired { .. } => CertificateError::Expired,
        Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Error::CertRevoked => CertificateError::Revoked,
        Error::UnknownRevocationStatus
        | Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner => CertificateError::UnknownRevocationStatus,
        Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        Error::UnknownIssuer | Error::CaUsedAsEndEntity => CertificateError::UnknownIssuer,
        Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        _ => CertificateError::BadEncoding,
    }
}
