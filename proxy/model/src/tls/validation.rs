//! How a peer's certificate is judged (`CertificateValidationContext`).

use std::sync::Arc;

use super::{DataSource, SdsSecret};
use crate::matching::StringMatcher;

/// SHA-256 of a certificate.
pub type CertificateHash = [u8; 32];
/// SHA-256 of a public key.
pub type SpkiHash = [u8; 32];

/// Rules for a peer's certificate, from where they come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValidationRef {
    /// In the configuration itself.
    Inline(Arc<Validation>),
    /// By name.
    Sds(SdsSecret),
    /// By name, over what the configuration says: what the secret sets wins, lists are joined.
    Combined {
        /// What the configuration says.
        default: Arc<Validation>,
        /// The secret.
        secret: SdsSecret,
    },
}

/// Rules for a peer's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Validation {
    /// Roots, PEM; without any, and without pins, every certificate is taken.
    pub trusted_ca: Option<DataSource>,
    /// Revoked certificates, PEM; the leaf's issuer must then have a list in it.
    pub crl: Option<DataSource>,
    /// The directory whose moves announce new files; the files' own if not set.
    pub watched_directory: Option<Arc<str>>,
    /// One of them must match an alternative name, if there are any.
    pub sans: Vec<SanMatcher>,
    /// The certificate must have one of these hashes (or of `spki_pins`), if there are any.
    pub hash_pins: Vec<CertificateHash>,
    /// Its public key must have one of these hashes (or of `hash_pins`), if there are any.
    pub spki_pins: Vec<SpkiHash>,
    /// Take certificates that have expired.
    pub allow_expired: bool,
    /// What happens to those that do not pass.
    pub trust: TrustVerification,
    /// Look for revocation of the leaf only, not of its issuers.
    pub only_verify_leaf_crl: bool,
    /// Longest chain; `None`: no limit.
    pub max_verify_depth: Option<u32>,
}

impl Validation {
    /// The first setting that cannot be had without roots: without them anybody can make a
    /// certificate of the name that is asked for, and no chain is looked at that lists of
    /// revoked certificates or times could be about.
    #[must_use]
    pub fn needs_roots(&self) -> Option<&'static str> {
        let needing = [
            (self.crl.is_some(), "crl"),
            (!self.sans.is_empty(), "match_typed_subject_alt_names"),
            (self.allow_expired, "allow_expired_certificate"),
        ];
        let lacks = self.trusted_ca.is_none();
        let mut first = needing.into_iter().filter(|(is_set, _)| lacks && *is_set);
        first.next().map(|(_, field)| field)
    }

    /// Whether a client has to show a certificate even if the context does not require one: names
    /// and pins are asked of somebody.
    #[must_use]
    pub fn asks_who(&self) -> bool {
        let asks =
            !self.sans.is_empty() || !self.hash_pins.is_empty() || !self.spki_pins.is_empty();
        asks && self.trust == TrustVerification::Verify
    }
}

/// `trust_chain_verification`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrustVerification {
    /// They are refused.
    #[default]
    Verify,
    /// They are taken, and marked as not validated.
    AcceptUntrusted,
}

/// A condition on one kind of alternative name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SanMatcher {
    /// Which names it looks at.
    pub kind: SanKind,
    /// The condition. Exact DNS names also match names with a wildcard, as RFC 6125 says.
    pub matcher: StringMatcher,
}

/// A kind of alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SanKind {
    /// `dNSName`.
    Dns,
    /// `uniformResourceIdentifier`: SPIFFE identities.
    Uri,
    /// `rfc822Name`.
    Email,
    /// `iPAddress`, as text.
    Ip,
}
