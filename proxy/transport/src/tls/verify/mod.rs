//! Judging the peer's certificate by Envoy's rules: the chain against given roots, alternative
//! names and pins by matchers; host names only where they are asked for.

mod judge;
mod noted;
mod revocation;
mod san;
mod trust;
mod words;

pub(super) use judge::Failed;
pub(super) use noted::{Noted, note, noting};
pub(super) use san::are_taken;
pub(super) use trust::Trust;

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::KeyUsage;

use super::certificate;
use judge::Shown;

/// Judges peers of one context.
#[derive(Debug)]
pub(super) struct Verifier {
    /// The rules; `None`: every certificate is taken.
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Of a server: whether clients must have a certificate.
    pub(super) mandatory: bool,
    /// Of a client: whether the certificate must be for the name that was asked for.
    pub(super) check_name: bool,
}

impl Verifier {
    /// Judges, and notes what was seen for whoever drives the handshake.
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: Option<&ServerName<'_>>,
        usage: KeyUsage,
        now: UnixTime,
    ) -> Result<(), Error> {
        let chain = std::iter::once(leaf).chain(intermediates);
        let facts = certificate::read(chain)
            .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let unruled = Trust::default();
        let trust = self.trust.as_deref().unwrap_or(&unruled);
        let shown = Shown {
            leaf,
            intermediates,
            facts: &facts,
            name: name.filter(|_| self.check_name),
            now,
        };
        let judged = judge::judge(trust, usage, &self.algorithms, &shown);
        let facts = Arc::new(facts);
        note(|noted| {
            noted.peer = Some(facts);
            match &judged {
                Ok(validated) => noted.validated = *validated,
                Err(refusal) => {
                    noted.failed = Some((refusal.failed, refusal.words.clone()));
                }
            }
        });
        match judged {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Error::InvalidCertificate(refusal.error)),
        }
    }

    /// Judges again a chain that a resumed session brought along.
    pub(super) fn validates(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return false;
        };
        let usage = KeyUsage::client_auth();
        self.verify(leaf, intermediates, None, usage, UnixTime::now())
            .is_ok()
            && noted::take().validated
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(
            leaf,
            intermediates,
            Some(name),
            KeyUsage::server_auth(),
            now,
        )
        .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.trust.as_ref().map_or(&[], |trust| &trust.subjects)
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(leaf, intermediates, None, KeyUsage::client_auth(), now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
