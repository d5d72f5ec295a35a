//! Roots, revocation lists and rules, read once for many handshakes.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::DistinguishedName;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use tandem_core::ext::Certificate;
use tandem_model::tls::Validation;
use webpki::anchor_from_trusted_cert;

use super::revocation::Lists;
use crate::tls::Error;
use crate::tls::{certificate, load};

/// What peers are judged by.
#[derive(Debug, Default)]
pub(in crate::tls) struct Trust {
    pub(in crate::tls) rules: Arc<Validation>,
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// The roots themselves, and between which times they are valid.
    pub(super) roots: Vec<(CertificateDer<'static>, (i64, i64))>,
    /// Trusted authorities that others vouch for, where those are asked too: see [`Self::demote`].
    pub(super) between: Vec<CertificateDer<'static>>,
    pub(super) lists: Lists,
    pub(super) subjects: Vec<DistinguishedName>,
    /// When the first of all trusted authorities expires.
    first_end: Option<i64>,
    /// What they say: read when somebody asks.
    facts: OnceLock<Vec<Arc<Certificate>>>,
}

impl Trust {
    /// Reads the roots and lists of rules whose files have been read.
    pub(in crate::tls) fn load(rules: Arc<Validation>) -> Result<Self, Error> {
        let mut trust = Self {
            rules: Arc::clone(&rules),
            ..Self::default()
        };
        if let Some(source) = &rules.trusted_ca {
            let pem = load::read("trusted_ca", source)?;
            let roots = load::certificates(&pem)
                .ok_or_else(|| Error::new("trusted_ca: expected certificates in PEM"))?;
            for root in roots {
                trust.add_root(root)?;
            }
            // As Envoy does: lists may stand among the roots.
            trust.add_lists(&pem)?;
        }
        if let Some(source) = &rules.crl {
            let pem = load::read("crl", source)?;
            if trust.add_lists(&pem)? == 0 {
                return Err(Error::new("crl: expected revocation lists in PEM"));
            }
        }
        if !trust.lists.is_empty() && !rules.only_verify_leaf_crl {
            trust.demote();
        }
        Ok(trust)
    }

    /// Whether clients have to show a certificate: see [`Validation::asks_who`].
    pub(in crate::tls) fn asks_who(&self) -> bool {
        self.rules.asks_who()
    }

    /// When the first of the trusted authorities expires.
    pub(in crate::tls) fn first_end(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.first_end?).unwrap_or(0);
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// What the trusted authorities say.
    pub(in crate::tls) fn facts(&self) -> &[Arc<Certificate>] {
        self.facts.get_or_init(|| {
            let roots = self.roots.iter().map(|(root, _)| root);
            let facts = roots.chain(&self.between).map(|root| {
                let facts = certificate::read([root]);
                facts.map(Arc::new)
            });
            facts.collect::<Option<_>>().unwrap_or_default()
        })
    }

    /// With revocation lists, each certificate up to a root that vouches for itself must be in
    /// nobody's list (BoringSSL's `X509_V_FLAG_CRL_CHECK_ALL`). A path ends at what is trusted,
    /// and what it ends at is not looked up; so trusted authorities below a root become steps
    /// between, and if their root is not trusted, nobody can say whether they are revoked.
    fn demote(&mut self) {
        let anchors = std::mem::take(&mut self.anchors);
        for (anchor, root) in anchors.into_iter().zip(std::mem::take(&mut self.roots)) {
            if certificate::is_self_issued(&root.0) {
                self.anchors.push(anchor);
                self.roots.push(root);
            } else {
                self.between.push(root.0);
            }
        }
    }

    /// Adds all lists of a PEM text; how many there were.
    fn add_lists(&mut self, pem: &[u8]) -> Result<usize, Error> {
        let mut count = 0;
        for list in CertificateRevocationListDer::pem_slice_iter(pem) {
            let list = list.map_err(|_| Error::new("crl: expected revocation lists in PEM"))?;
            self.lists.add(&list)?;
            count += 1;
        }
        Ok(count)
    }

    fn add_root(&mut self, root: CertificateDer<'static>) -> Result<(), Error> {
        let unreadable = || Error::new("trusted_ca: expected X.509 certificates");
        let anchor = anchor_from_trusted_cert(&root).map_err(|_| unreadable())?;
        let validity = certificate::validity(&root).ok_or_else(unreadable)?;
        let anchor = anchor.to_owned();
        self.subjects
            .push(DistinguishedName::in_sequence(&anchor.subject));
        self.anchors.push(anchor);
        let (_, end) = validity;
        self.first_end = Some(self.first_end.map_or(end, |first| first.min(end)));
        self.roots.push((root, validity));
        Ok(())
    }
}
