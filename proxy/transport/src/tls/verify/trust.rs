//! Roots, revocation lists and rules, read once for many handshakes.

use std::sync::Arc;

use rustls::DistinguishedName;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use tandem_model::tls::Validation;
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};

use crate::tls::Error;
use crate::tls::{certificate, load};

/// What peers are judged by.
#[derive(Debug, Default)]
pub(in crate::tls) struct Trust {
    pub(super) rules: Arc<Validation>,
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// The roots themselves, and between which times they are valid.
    pub(super) roots: Vec<(CertificateDer<'static>, (i64, i64))>,
    pub(super) crls: Vec<CertRevocationList<'static>>,
    pub(super) subjects: Vec<DistinguishedName>,
}

impl Trust {
    /// Reads the roots and lists of rules whose files have been read.
    pub(in crate::tls) fn load(rules: Arc<Validation>) -> Result<Self, Error> {
        let mut trust = Self {
            anchors: Vec::new(),
            roots: Vec::new(),
            crls: Vec::new(),
            subjects: Vec::new(),
            rules: Arc::clone(&rules),
        };
        if let Some(source) = &rules.trusted_ca {
            let pem = load::read("trusted_ca", source)?;
            let roots = load::certificates(&pem)
                .ok_or_else(|| Error::new("trusted_ca: expected certificates in PEM"))?;
            for root in roots {
                trust.add_root(root)?;
            }
        }
        if let Some(source) = &rules.crl {
            let pem = load::read("crl", source)?;
            trust.crls = revocation_lists(&pem)?;
        }
        Ok(trust)
    }

    fn add_root(&mut self, root: CertificateDer<'static>) -> Result<(), Error> {
        let unreadable = || Error::new("trusted_ca: expected X.509 certificates");
        let anchor = anchor_from_trusted_cert(&root).map_err(|_| unreadable())?;
        let validity = certificate::validity(&root).ok_or_else(unreadable)?;
        let anchor = anchor.to_owned();
        self.subjects
            .push(DistinguishedName::in_sequence(&anchor.subject));
        self.anchors.push(anchor);
        self.roots.push((root, validity));
        Ok(())
    }
}

fn revocation_lists(pem: &[u8]) -> Result<Vec<CertRevocationList<'static>>, Error> {
    let unreadable = || Error::new("crl: expected revocation lists in PEM");
    let mut lists = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(pem) {
        let list = list.map_err(|_| unreadable())?;
        let list = OwnedCertRevocationList::from_der(&list)
            .map_err(|error| Error::new(format!("crl: {error}")))?;
        lists.push(list.into());
    }
    if lists.is_empty() {
        return Err(unreadable());
    }
    Ok(lists)
}
