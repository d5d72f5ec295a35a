//! From configured secrets to what a handshake needs: files read, PEM decoded, keys checked.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tandem_core::ext::Certificate;
use tandem_core::file;
use tandem_model::tls::{DataSource, TlsCertificate, Validation};

use super::Error;
use super::certificate;

/// A certificate with its key, ready to be shown.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) facts: Arc<Certificate>,
    /// The hosts that it is for.
    pub(super) names: Vec<Arc<str>>,
}

impl Identity {
    /// Reads a certificate and its key.
    pub(super) fn load(config: &TlsCertificate) -> Result<Self, Error> {
        let chain = certificates(&read("certificate_chain", &config.chain)?)
            .ok_or_else(|| Error::new("certificate_chain: expected certificates in PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(&read("private_key", &config.key)?)
            .map_err(|_| Error::new("private_key: expected a private key in PEM"))?;
        let facts = certificate::read(&chain)
            .ok_or_else(|| Error::new("certificate_chain: expected X.509 certificates"))?;
        let names = certificate::hosts(&facts);
        let certified = CertifiedKey::from_der(chain, key, &default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                Error::new("private_key: it is not the key of the certificate")
            }
            other => Error::new(format!("private_key: {other}")),
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            facts: Arc::new(facts),
            names,
        })
    }
}

/// The rules with the files' contents in place of the files.
pub(super) fn with_contents(rules: &Validation) -> Result<Validation, Error> {
    let inline = |field: &str, source: &Option<DataSource>| {
        let read = source.as_ref().map(|source| read(field, source));
        Ok::<_, Error>(read.transpose()?.map(DataSource::Inline))
    };
    Ok(Validation {
        trusted_ca: inline("trusted_ca", &rules.trusted_ca)?,
        crl: inline("crl", &rules.crl)?,
        ..rules.clone()
    })
}

/// What a source holds; an empty one is a mistake that would turn checks off.
pub(super) fn read(field: &str, source: &DataSource) -> Result<Bytes, Error> {
    let bytes = match source {
        DataSource::Inline(bytes) => bytes.clone(),
        DataSource::File(path) => file::read(Path::new(&**path), file::SECRET_MIB)
            .map_err(|error| Error::new(format!("{field}: cannot read {path}: {error}")))?
            .into(),
    };
    if bytes.is_empty() {
        return Err(Error::new(format!("{field}: expected PEM, it is empty")));
    }
    Ok(bytes)
}

/// All certificates of a PEM text; `None` if there are none or one of them is not readable.
pub(super) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty())
}
