//! Secrets that contexts hold themselves: read once for all contexts that say the same words.

use std::hash::Hash;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use ahash::HashMap;
use tandem_model::tls::{TlsCertificate, Validation};

use super::files::Stamp;
use super::{Secrets, Slot, Target, Watched};
use crate::tls::Error;
use crate::tls::load::Identity;
use crate::tls::verify::Trust;

/// Those that are used.
#[derive(Debug, Default)]
pub(super) struct Own {
    certificates: HashMap<Arc<TlsCertificate>, Weak<Slot<Identity>>>,
    validations: HashMap<Arc<Validation>, Weak<Slot<Trust>>>,
}

impl Secrets {
    /// Where a certificate of the context's own is; `usable` is told if it cannot be used now.
    pub(in crate::tls) fn own_certificate(
        &self,
        config: &Arc<TlsCertificate>,
        usable: &mut Result<(), Error>,
    ) -> Arc<Slot<Identity>> {
        let slot = slot(&mut self.own().certificates, config);
        let target = Target::Certificate(Arc::downgrade(&slot), Arc::clone(config));
        let fill = || self.fill_certificate(&slot, config);
        self.look(target, slot.get().is_some(), fill, usable);
        slot
    }

    /// Where rules of the context's own are; `usable` is told if they cannot be used now.
    pub(in crate::tls) fn own_validation(
        &self,
        config: &Arc<Validation>,
        usable: &mut Result<(), Error>,
    ) -> Arc<Slot<Trust>> {
        let slot = slot(&mut self.own().validations, config);
        let target = Target::Validation(Arc::downgrade(&slot), Arc::clone(config));
        let fill = || self.fill_validation(&slot, config);
        self.look(target, slot.get().is_some(), fill, usable);
        slot
    }

    /// Fills a slot if it is empty or its files have changed. What cannot be used now is looked at
    /// again like files that change, and what was there before stays.
    fn look(
        &self,
        target: Target,
        filled: bool,
        fill: impl FnOnce() -> Result<(), Error>,
        usable: &mut Result<(), Error>,
    ) {
        let now = target.stamp();
        let same = |one: &&Watched| one.target.is_same(&target);
        let known = |watched: &[Watched]| watched.iter().find(same).map(|one| one.stamp == now);
        if filled && (now.is_empty() || known(&self.watched()) == Some(true)) {
            return;
        }
        match fill() {
            Ok(()) if filled => self.bump(),
            Ok(()) => {}
            Err(error) => {
                let mut watched = self.watched();
                if !now.is_empty() && known(&watched).is_none() {
                    let stamp = Stamp::default();
                    watched.push(Watched { target, stamp });
                }
                drop(watched);
                *usable = std::mem::replace(usable, Ok(())).and(Err(error));
            }
        }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.0.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot<K: Clone + Eq + Hash, T>(slots: &mut HashMap<K, Weak<Slot<T>>>, key: &K) -> Arc<Slot<T>> {
    if let Some(slot) = slots.get(key).and_then(Weak::upgrade) {
        return slot;
    }
    if slots.len().is_power_of_two() {
        slots.retain(|_, slot| slot.strong_count() > 0);
    }
    let slot = Arc::default();
    slots.insert(key.clone(), Arc::downgrade(&slot));
    slot
}
