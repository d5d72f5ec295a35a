//! What a context is made from, which may change while it is used.

use std::sync::Arc;

use tandem_model::tls::{CommonTls, SecretRef, TrustVerification, Validation, ValidationRef};

use super::Error;
use super::load::Identity;
use super::secrets::{Secrets, Slot};
use super::verify::Trust;

/// Where a context's secrets are.
#[derive(Debug)]
pub(super) struct Sources {
    certificates: Vec<Arc<Slot<Identity>>>,
    /// Rules, the later over the earlier.
    rules: Vec<Arc<Slot<Trust>>>,
}

/// The secrets at one time.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) identities: Vec<Arc<Identity>>,
    rules: Vec<Arc<Trust>>,
}

impl Sources {
    /// All of them, and why the first of the context's own cannot be used, if one cannot: it
    /// comes when its files are better.
    pub(super) fn new(secrets: &Secrets, context: &CommonTls) -> (Self, Result<(), Error>) {
        let mut usable = Ok(());
        let certificates = context.certificates.iter().map(|wanted| match wanted {
            SecretRef::Sds(secret) => secrets.certificate(secret),
            SecretRef::Inline(config) => secrets.own_certificate(config, &mut usable),
        });
        let certificates = certificates.collect();
        let rules = match &context.validation {
            None => Vec::new(),
            Some(ValidationRef::Inline(rules)) => vec![secrets.own_validation(rules, &mut usable)],
            Some(ValidationRef::Sds(secret)) => {
                vec![secrets.validation(secret, &Validation::default())]
            }
            Some(ValidationRef::Combined { default, secret }) => {
                let own = secrets.own_validation(default, &mut usable);
                vec![own, secrets.validation(secret, default)]
            }
        };
        let all = Self {
            certificates,
            rules,
        };
        (all, usable)
    }

    /// All secrets, if all have come.
    pub(super) fn gather(&self) -> Option<Gathered> {
        let identities = self.certificates.iter().map(|slot| slot.get());
        let rules = self.rules.iter().map(|slot| slot.get());
        Some(Gathered {
            identities: identities.collect::<Option<_>>()?,
            rules: rules.collect::<Option<_>>()?,
        })
    }
}

impl Gathered {
    /// Whether nothing has been replaced.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        fn same<T>(a: &[Arc<T>], b: &[Arc<T>]) -> bool {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
        }
        same(&self.identities, &other.identities) && same(&self.rules, &other.rules)
    }

    /// What peers are judged by; `None` if there are no rules.
    pub(super) fn trust(&self) -> Result<Option<Arc<Trust>>, Error> {
        let Some(rules) = self.merged() else {
            return Ok(None);
        };
        // Contexts and secrets that do not go together are refused before; whatever happens, such
        // rules let nobody in.
        if let Some(field) = rules.needs_roots() {
            return Err(without_roots(field));
        }
        match self.rules.as_slice() {
            [trust] => Ok(Some(Arc::clone(trust))),
            _ => Ok(Some(Arc::new(Trust::load(rules)?))),
        }
    }

    /// Where the roots in force are from.
    pub(super) fn rooted(&self) -> Option<&Arc<Trust>> {
        let mut latest_first = self.rules.iter().rev();
        latest_first.find(|trust| trust.rules.trusted_ca.is_some())
    }

    /// The rules in force, if there are any.
    pub(super) fn merged(&self) -> Option<Arc<Validation>> {
        match self.rules.as_slice() {
            [] => None,
            [trust] => Some(Arc::clone(&trust.rules)),
            [first, rest @ ..] => {
                let first = (*first.rules).clone();
                let merged = rest.iter().fold(first, |a, b| merge(a, &b.rules));
                Some(Arc::new(merged))
            }
        }
    }
}

/// Rules that need roots have none, neither from the context nor from the secret.
pub(super) fn without_roots(field: &str) -> Error {
    Error::new(format!(
        "trusted_ca: expected roots: without them '{field}' protects nothing"
    ))
}

/// As protobuf merges messages: what the later one sets wins, lists are joined.
fn merge(earlier: Validation, later: &Validation) -> Validation {
    let mut merged = earlier;
    merged.trusted_ca = later.trusted_ca.clone().or(merged.trusted_ca);
    merged.crl = later.crl.clone().or(merged.crl);
    merged.sans.extend(later.sans.iter().cloned());
    merged.hash_pins.extend(&later.hash_pins);
    merged.spki_pins.extend(&later.spki_pins);
    merged.allow_expired |= later.allow_expired;
    merged.only_verify_leaf_crl |= later.only_verify_leaf_crl;
    merged.max_verify_depth = later.max_verify_depth.or(merged.max_verify_depth);
    if later.trust != TrustVerification::default() {
        merged.trust = later.trust;
    }
    merged
}
