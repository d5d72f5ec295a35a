//! The secrets of the process, by name, and those that contexts hold themselves.
//!
//! A secret is replaced as a whole. Contexts notice by one number, the generation, that they
//! look at with each handshake: so the next handshake uses the new certificate, and no
//! connection is cut.

mod files;
mod own;
mod slot;

pub(super) use slot::Slot;

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::HashMap;
use tandem_model::tls::{
    CommonTls, DataSource, SdsSecret, Secret, SecretKind, SecretRef, SecretSource, TlsCertificate,
    Validation, ValidationRef,
};
use tokio::sync::watch;

use self::files::Stamp;
use super::Error;
use super::load::{self, Identity};
use super::sources::without_roots;
use super::verify::Trust;

/// All secrets of the process; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    named: Mutex<Named>,
    own: Mutex<own::Own>,
    /// Slots that were filled from files, with what the files looked like.
    watched: Mutex<Vec<Watched>>,
    generation: AtomicU64,
    changed: watch::Sender<u64>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            named: Mutex::default(),
            own: Mutex::default(),
            watched: Mutex::default(),
            generation: AtomicU64::new(1),
            changed: watch::Sender::new(1),
        }
    }
}

#[derive(Debug, Default)]
struct Named {
    certificates: HashMap<SdsSecret, Arc<Slot<Identity>>>,
    validations: HashMap<SdsSecret, Arc<Slot<Trust>>>,
    latest: HashMap<SdsSecret, SecretKind>,
    /// The rules that have to bring the roots of some context, and what that context's own part
    /// needs them for. Kept for good: a name is not used for anything else.
    rooting: HashMap<SdsSecret, Option<&'static str>>,
}

impl Named {
    /// A context takes a secret over rules of its own.
    fn expect(&mut self, secret: &SdsSecret, default: &Validation) {
        if default.trusted_ca.is_none() {
            let needed = self.rooting.entry(secret.clone()).or_default();
            *needed = needed.or(default.needs_roots());
        }
    }

    /// Whether rules bring the roots that contexts expect of them.
    fn rooted(&self, secret: &SdsSecret, rules: &Validation) -> Result<(), Error> {
        let needed = self
            .rooting
            .get(secret)
            .filter(|_| rules.trusted_ca.is_none());
        match needed.and_then(|context| rules.needs_roots().or(*context)) {
            None => Ok(()),
            Some(field) => Err(without_roots(field)),
        }
    }
}

#[derive(Debug)]
struct Watched {
    target: Target,
    stamp: Stamp,
}

/// What is read anew when its files change.
#[derive(Debug)]
enum Target {
    Certificate(std::sync::Weak<Slot<Identity>>, Arc<TlsCertificate>),
    Validation(std::sync::Weak<Slot<Trust>>, Arc<Validation>),
}

impl Secrets {
    /// Publishes a secret that `source` delivered. What uses it is not told: the next handshake
    /// takes it. The same secret again is no new one: sessions go on.
    ///
    /// # Errors
    /// It cannot be used; the one before stays.
    pub fn publish(&self, source: &SecretSource, secret: &Secret) -> Result<(), Error> {
        let key = SdsSecret {
            name: Arc::clone(&secret.name),
            source: source.clone(),
        };
        let before = self.named().latest.get(&key).cloned();
        if before.as_ref() == Some(&secret.kind) && !is_of_files(&secret.kind) {
            return Ok(());
        }
        match &secret.kind {
            SecretKind::Certificate(config) => {
                let slot = slot(&mut self.named().certificates, &key);
                self.fill_certificate(&slot, config)?;
            }
            SecretKind::Validation(config) => {
                let slot = {
                    let mut named = self.named();
                    named.rooted(&key, config)?;
                    slot(&mut named.validations, &key)
                };
                self.fill_validation(&slot, config)?;
            }
        }
        self.named().latest.insert(key, secret.kind.clone());
        self.bump();
        Ok(())
    }

    /// Whether all that a context needs has come.
    pub fn is_ready(&self, context: &CommonTls) -> bool {
        let mut named = self.named();
        let certificates = context.certificates.iter().all(|wanted| match wanted {
            SecretRef::Inline(_) => true,
            SecretRef::Sds(secret) => slot(&mut named.certificates, secret).get().is_some(),
        });
        certificates
            && match &context.validation {
                Some(ValidationRef::Sds(secret) | ValidationRef::Combined { secret, .. }) => {
                    slot(&mut named.validations, secret).get().is_some()
                }
                _ => true,
            }
    }

    /// Where the chain of a delivered certificate is.
    pub(super) fn delivered_chain(&self, secret: &SdsSecret) -> Option<DataSource> {
        match self.named().latest.get(secret)? {
            SecretKind::Certificate(config) => Some(config.chain.clone()),
            SecretKind::Validation(_) => None,
        }
    }

    /// Where the roots of delivered rules are.
    pub(super) fn delivered_roots(&self, secret: &SdsSecret) -> Option<DataSource> {
        match self.named().latest.get(secret)? {
            SecretKind::Validation(config) => config.trusted_ca.clone(),
            SecretKind::Certificate(_) => None,
        }
    }

    /// Resolves when all that a context needs has come: at once, if it needs nothing.
    pub async fn ready(&self, context: &CommonTls) {
        let mut changed = self.changes();
        while !self.is_ready(context) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Checks a context and reads what it holds itself.
    ///
    /// # Errors
    /// A secret in the configuration or in one of its files cannot be used.
    pub fn check(&self, context: &CommonTls) -> Result<(), Error> {
        for (i, wanted) in context.certificates.iter().enumerate() {
            if let SecretRef::Inline(config) = wanted {
                let named = |error| Error::new(format!("tls_certificates[{i}].{error}"));
                Identity::load(config).map_err(named)?;
            }
        }
        self.check_static(context)?;
        let rules = match &context.validation {
            None => return Ok(()),
            Some(ValidationRef::Inline(rules)) => rules,
            Some(ValidationRef::Sds(secret)) => {
                return self.expect(secret, &Validation::default());
            }
            Some(ValidationRef::Combined { default, secret }) => {
                self.expect(secret, default)?;
                default
            }
        };
        let named = |error| Error::new(format!("validation_context.{error}"));
        let rules = load::with_contents(rules).map_err(named)?;
        Trust::load(Arc::new(rules)).map(|_| ()).map_err(named)
    }

    /// What contexts of this kind expect of a secret, and whether what has come is that.
    fn expect(&self, secret: &SdsSecret, default: &Validation) -> Result<(), Error> {
        let mut named = self.named();
        named.expect(secret, default);
        match named.latest.get(secret) {
            Some(SecretKind::Validation(rules)) => named.rooted(secret, rules).map_err(|error| {
                let name = &secret.name;
                Error::new(format!("secret '{name}': {error}"))
            }),
            _ => Ok(()),
        }
    }

    /// Nobody will deliver a secret of the bootstrap's that is not there.
    fn check_static(&self, context: &CommonTls) -> Result<(), Error> {
        let certificates = context
            .certificates
            .iter()
            .filter_map(|wanted| match wanted {
                SecretRef::Inline(_) => None,
                SecretRef::Sds(secret) => Some(secret),
            });
        let rules = match &context.validation {
            Some(ValidationRef::Sds(secret) | ValidationRef::Combined { secret, .. }) => {
                Some(secret)
            }
            _ => None,
        };
        let named = self.named();
        for secret in certificates.chain(rules) {
            if secret.source == SecretSource::Static && !named.latest.contains_key(secret) {
                let name = &secret.name;
                return Err(Error::new(format!("unknown static secret '{name}'")));
            }
        }
        Ok(())
    }

    /// Looks after the files that secrets came from, until it is dropped: what is new there is
    /// read and used; what cannot be used (half written, the key before its certificate) is
    /// looked at again, and the one before stays.
    pub async fn watch_files(&self) {
        loop {
            tokio::time::sleep(files::INTERVAL).await;
            if self.reload() {
                self.bump();
            }
        }
    }

    /// Tells of every change of any secret.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Grows with every change of any secret.
    pub(super) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Where a certificate is to be found, now and later.
    pub(super) fn certificate(&self, secret: &SdsSecret) -> Arc<Slot<Identity>> {
        slot(&mut self.named().certificates, secret)
    }

    /// Where a secret with rules is to be found, now and later, for a context with these of its
    /// own.
    pub(super) fn validation(&self, secret: &SdsSecret, default: &Validation) -> Arc<Slot<Trust>> {
        let mut named = self.named();
        named.expect(secret, default);
        slot(&mut named.validations, secret)
    }

    fn fill_certificate(
        &self,
        slot: &Arc<Slot<Identity>>,
        config: &Arc<TlsCertificate>,
    ) -> Result<(), Error> {
        let stamp = Stamp::of([Some(&config.chain), Some(&config.key)]);
        let identity = Identity::load(config)?;
        let target = Target::Certificate(Arc::downgrade(slot), Arc::clone(config));
        self.fill(target, stamp, || slot.set(identity));
        Ok(())
    }

    fn fill_validation(
        &self,
        slot: &Arc<Slot<Trust>>,
        config: &Arc<Validation>,
    ) -> Result<(), Error> {
        let stamp = Stamp::of([config.trusted_ca.as_ref(), config.crl.as_ref()]);
        let rules = load::with_contents(config)?;
        let trust = Trust::load(Arc::new(rules))?;
        let target = Target::Validation(Arc::downgrade(slot), Arc::clone(config));
        self.fill(target, stamp, || slot.set(trust));
        Ok(())
    }

    /// Fills a slot and remembers its files, in place of those that it was filled from before.
    /// Both under the lock: those before may be read anew right now, on another thread, and must
    /// not come after these.
    fn fill(&self, target: Target, stamp: Stamp, set: impl FnOnce()) {
        let mut watched = self.watched();
        set();
        watched.retain(|other| other.target.is_alive() && !other.target.is_same(&target));
        if !stamp.is_empty() {
            watched.push(Watched { target, stamp });
        }
    }

    /// Reads what has changed; whether anything of it could be used.
    fn reload(&self) -> bool {
        let mut any = false;
        let mut watched = self.watched();
        watched.retain(|one| one.target.is_alive());
        for one in watched.iter_mut() {
            let now = one.target.stamp();
            if now == one.stamp {
                continue;
            }
            match one.target.reload() {
                Ok(()) => {
                    one.stamp = now;
                    any = true;
                }
                Err(error) => tracing::debug!(%error, "new files are not usable yet"),
            }
        }
        any
    }

    fn bump(&self) {
        let next = self.0.generation.fetch_add(1, Ordering::AcqRel) + 1;
        self.0.changed.send_replace(next);
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.0.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, Vec<Watched>> {
        let watched = self.0.watched.lock();
        watched.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the same words may mean something new.
fn is_of_files(kind: &SecretKind) -> bool {
    match kind {
        SecretKind::Certificate(config) => {
            !Stamp::of([Some(&config.chain), Some(&config.key)]).is_empty()
        }
        SecretKind::Validation(config) => {
            !Stamp::of([config.trusted_ca.as_ref(), config.crl.as_ref()]).is_empty()
        }
    }
}

fn slot<K: Clone + Eq + Hash, T>(slots: &mut HashMap<K, Arc<Slot<T>>>, key: &K) -> Arc<Slot<T>> {
    match slots.get(key) {
        Some(slot) => Arc::clone(slot),
        None => Arc::clone(slots.entry(key.clone()).or_default()),
    }
}

impl Target {
    fn is_alive(&self) -> bool {
        match self {
            Self::Certificate(slot, _) => slot.strong_count() > 0,
            Self::Validation(slot, _) => slot.strong_count() > 0,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Certificate(a, _), Self::Certificate(b, _)) => a.ptr_eq(b),
            (Self::Validation(a, _), Self::Validation(b, _)) => a.ptr_eq(b),
            _ => false,
        }
    }

    fn stamp(&self) -> Stamp {
        match self {
            Self::Certificate(_, config) => Stamp::of([Some(&config.chain), Some(&config.key)]),
            Self::Validation(_, config) => {
                Stamp::of([config.trusted_ca.as_ref(), config.crl.as_ref()])
            }
        }
    }

    fn reload(&self) -> Result<(), Error> {
        match self {
            Self::Certificate(slot, config) => {
                let identity = Identity::load(config)?;
                if let Some(slot) = slot.upgrade() {
                    slot.set(identity);
                }
            }
            Self::Validation(slot, config) => {
                let trust = Trust::load(Arc::new(load::with_contents(config)?))?;
                if let Some(slot) = slot.upgrade() {
                    slot.set(trust);
                }
            }
        }
        Ok(())
    }
}

/// Names of files, for [`Stamp::of`].
type Sources<'a> = [Option<&'a DataSource>; 2];
