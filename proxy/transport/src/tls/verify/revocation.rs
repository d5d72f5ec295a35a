//! Revocation lists: which of them speak for a chain, now.
//!
//! The path builder takes the first list with the issuer's name. Envoy (BoringSSL) looks closer:
//! at the time that a list is for, which of several is the newest, and whose key signed it, since
//! an authority that changes its key keeps its name. So the lists are sorted and chosen here, and
//! the path builder sees only those that count; it checks their signatures and their scope.

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::tls::Error;

/// A list, and what decides whether it counts.
#[derive(Debug)]
struct List {
    list: CertRevocationList<'static>,
    signer: Signer,
    /// Between which times it counts, in seconds since 1970.
    from: i64,
    to: i64,
}

/// Who signed something: the name, encoded, and which of its keys, if that is said.
#[derive(Debug)]
struct Signer {
    name: Vec<u8>,
    key: Option<Vec<u8>>,
}

/// All lists of a context, the newest first.
#[derive(Debug, Default)]
pub(super) struct Lists(Vec<List>);

/// Why nothing is known of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// There is no list of its issuer's.
    None,
    /// There is one that should have been replaced.
    Late,
    /// There is one that is not to be used yet.
    Early,
}

impl Lists {
    /// Adds a list.
    pub(super) fn add(&mut self, der: &CertificateRevocationListDer<'_>) -> Result<(), Error> {
        let unreadable = || Error::new("crl: expected X.509 revocation lists");
        let (_, parsed) = CertificateRevocationList::from_der(der).map_err(|_| unreadable())?;
        let list = OwnedCertRevocationList::from_der(der)
            .map_err(|error| Error::new(format!("crl: {error}")))?;
        self.0.push(List {
            list: list.into(),
            signer: Signer {
                name: parsed.issuer().as_raw().to_vec(),
                key: signing_key(parsed.extensions()),
            },
            from: parsed.last_update().timestamp(),
            to: parsed.next_update().map_or(i64::MAX, |to| to.timestamp()),
        });
        self.0.sort_by_key(|list| std::cmp::Reverse(list.from));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that speak for any certificate of a chain now, the newest first.
    pub(super) fn of<'a>(
        &'a self,
        chain: &[&CertificateDer<'_>],
        now: UnixTime,
    ) -> Vec<&'a CertRevocationList<'a>> {
        let signers: Vec<_> = chain.iter().filter_map(|one| signer(one)).collect();
        let counts =
            |list: &&List| list.is_at(now) && signers.iter().any(|signer| signer.is(&list.signer));
        self.0
            .iter()
            .filter(counts)
            .map(|list| &list.list)
            .collect()
    }

    /// Where nothing is known of a chain, and why.
    pub(super) fn missing(
        &self,
        chain: &[&CertificateDer<'_>],
        now: UnixTime,
    ) -> Option<(usize, Missing)> {
        chain.iter().enumerate().find_map(|(depth, one)| {
            let signer = signer(one)?;
            let of_signer = || self.0.iter().filter(|list| signer.is(&list.signer));
            if of_signer().any(|list| list.is_at(now)) {
                return None;
            }
            let why = match of_signer().next() {
                None => Missing::None,
                Some(list) if list.from > seconds(now) => Missing::Early,
                Some(_) => Missing::Late,
            };
            Some((depth, why))
        })
    }

    /// Where a chain is revoked.
    pub(super) fn revoked(&self, chain: &[&CertificateDer<'_>], now: UnixTime) -> Option<usize> {
        chain.iter().position(|one| self.revokes(one, now))
    }

    /// Whether the newest list of its issuer's has this certificate.
    pub(super) fn revokes(&self, one: &CertificateDer<'_>, now: UnixTime) -> bool {
        let Ok((_, parsed)) = X509Certificate::from_der(one) else {
            return false;
        };
        let lists = self.of(&[one], now);
        let found = lists
            .first()
            .map(|list| list.find_serial(parsed.raw_serial()));
        matches!(found, Some(Ok(Some(_))))
    }
}

impl List {
    fn is_at(&self, now: UnixTime) -> bool {
        (self.from..=self.to).contains(&seconds(now))
    }
}

impl Signer {
    /// Whether both may be the same: of one name, and not of two keys.
    fn is(&self, other: &Self) -> bool {
        let is_other_key = matches!((&self.key, &other.key), (Some(a), Some(b)) if a != b);
        self.name == other.name && !is_other_key
    }
}

/// Who signed a certificate.
fn signer(der: &CertificateDer<'_>) -> Option<Signer> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(Signer {
        name: parsed.issuer().as_raw().to_vec(),
        key: signing_key(parsed.extensions()),
    })
}

fn signing_key(extensions: &[X509Extension<'_>]) -> Option<Vec<u8>> {
    extensions
        .iter()
        .find_map(|one| match one.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                Some(id.key_identifier.as_ref()?.0.to_vec())
            }
            _ => None,
        })
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
