//! The certificates that contexts hold right now, for those who look after their end.

use std::sync::Arc;
use std::time::SystemTime;

use tandem_core::ext::Certificate;
use tandem_model::tls::{CommonTls, DataSource, SdsSecret, SecretRef, ValidationRef};

use super::secrets::Secrets;
use super::sources::Gathered;

/// What a context holds.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    /// The roots that peers are judged by.
    pub roots: Vec<Held>,
    /// The leaf of each of its own certificates.
    pub own: Vec<Held>,
}

/// A certificate, and where it came from.
#[derive(Clone, Debug)]
pub struct Held {
    /// The file's path; `<inline>` if it was in the configuration or delivered.
    pub path: Arc<str>,
    /// What it says.
    pub facts: Arc<Certificate>,
}

impl InUse {
    pub(super) fn of(context: &CommonTls, secrets: &Secrets, gathered: &Gathered) -> Self {
        let own = context.certificates.iter().zip(&gathered.identities);
        let own = own.map(|(wanted, identity)| Held {
            path: path(match wanted {
                SecretRef::Inline(config) => Some(config.chain.clone()),
                SecretRef::Sds(secret) => secrets.delivered_chain(secret),
            }),
            facts: Arc::clone(&identity.facts),
        });
        Self {
            own: own.collect(),
            roots: roots(context, secrets, gathered).unwrap_or_default(),
        }
    }
}

/// When the first of the certificates expires that are shown or trusted.
pub(super) fn first_end(gathered: &Gathered) -> Option<SystemTime> {
    let own = gathered.identities.iter().map(|one| one.facts.not_after);
    let roots = gathered.rooted().map(|trust| trust.first_end());
    own.chain(roots).flatten().min()
}

fn roots(context: &CommonTls, secrets: &Secrets, gathered: &Gathered) -> Option<Vec<Held>> {
    let roots = gathered.rooted()?.facts();
    let delivered = |secret: &SdsSecret| secrets.delivered_roots(secret);
    let source = match context.validation.as_ref()? {
        ValidationRef::Inline(rules) => rules.trusted_ca.clone(),
        ValidationRef::Sds(secret) => delivered(secret),
        ValidationRef::Combined { default, secret } => {
            delivered(secret).or_else(|| default.trusted_ca.clone())
        }
    };
    let path = path(source);
    let roots = roots.iter().map(|facts| Held {
        path: Arc::clone(&path),
        facts: Arc::clone(facts),
    });
    Some(roots.collect())
}

fn path(source: Option<DataSource>) -> Arc<str> {
    match source {
        Some(DataSource::File(path)) => path,
        _ => "<inline>".into(),
    }
}
