//! Keys that configuration names, and their values now.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::{Value, Values};
use crate::FractionalPercent;

/// A runtime key. All keys of one name are one: who holds it sees what the layers say of it now,
/// by reading a number, with no look-up; it compares by its name.
///
/// There is one set of layers in a process, so the keys are the process's too.
#[derive(Clone)]
pub struct RuntimeKey(Arc<Slot>);

struct Slot {
    name: Arc<str>,
    integer: AtomicU64,
    share: AtomicU64,
    flag: AtomicU8,
}

/// No layer says anything.
const UNSET: u64 = u64::MAX;
/// So for a flag, which else is 0 or 1.
const NO_FLAG: u8 = u8::MAX;

#[derive(Default)]
struct Keys {
    slots: HashMap<Arc<str>, Weak<Slot>>,
    values: Values,
}

fn keys() -> &'static Mutex<Keys> {
    static KEYS: OnceLock<Mutex<Keys>> = OnceLock::new();
    KEYS.get_or_init(Mutex::default)
}

/// Makes these the values that hold in this process.
pub fn publish(values: Values) {
    let mut keys = keys().lock().unwrap_or_else(PoisonError::into_inner);
    keys.slots.retain(|_, slot| slot.strong_count() > 0);
    for slot in keys.slots.values().filter_map(Weak::upgrade) {
        slot.set(values.get(&slot.name));
    }
    keys.values = values;
}

impl Slot {
    fn set(&self, value: Option<&Value>) {
        let integer = value.and_then(Value::as_integer);
        self.integer.store(integer.unwrap_or(UNSET), Relaxed);
        let share = value.and_then(Value::as_share);
        let packed =
            share.map(|share| u64::from(share.numerator) << 32 | u64::from(share.denominator));
        self.share.store(packed.unwrap_or(UNSET), Relaxed);
        let flag = value.and_then(Value::as_flag).map(u8::from);
        self.flag.store(flag.unwrap_or(NO_FLAG), Relaxed);
    }
}

impl RuntimeKey {
    /// The key of this name.
    pub fn named(name: &str) -> Self {
        let mut keys = keys().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = keys.slots.get(name).and_then(Weak::upgrade) {
            return Self(slot);
        }
        let slot = Arc::new(Slot {
            name: name.into(),
            integer: AtomicU64::new(UNSET),
            share: AtomicU64::new(UNSET),
            flag: AtomicU8::new(NO_FLAG),
        });
        slot.set(keys.values.get(name));
        keys.slots
            .insert(Arc::clone(&slot.name), Arc::downgrade(&slot));
        Self(slot)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the layers say, as a whole number.
    pub fn integer(&self) -> Option<u64> {
        let integer = self.0.integer.load(Relaxed);
        (integer != UNSET).then_some(integer)
    }

    /// What the layers say, as a yes or no.
    pub fn flag(&self) -> Option<bool> {
        let flag = self.0.flag.load(Relaxed);
        (flag != NO_FLAG).then_some(flag != 0)
    }

    /// What the layers say, as a share.
    pub fn share(&self) -> Option<FractionalPercent> {
        let packed = self.0.share.load(Relaxed);
        #[allow(clippy::cast_possible_truncation, reason = "two halves")]
        (packed != UNSET).then_some(FractionalPercent {
            numerator: (packed >> 32) as u32,
            denominator: packed as u32,
        })
    }
}

impl PartialEq for RuntimeKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for RuntimeKey {}

impl Hash for RuntimeKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for RuntimeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RuntimeKey").field(&self.0.name).finish()
    }
}

/// A share that a runtime key may change (`config.core.v3.RuntimeFractionalPercent`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuntimeFraction {
    /// What configuration says.
    pub default: FractionalPercent,
    /// What may say otherwise.
    pub key: Option<RuntimeKey>,
}

impl RuntimeFraction {
    /// The share as it is now.
    pub fn now(&self) -> FractionalPercent {
        let said = self.key.as_ref().and_then(RuntimeKey::share);
        said.unwrap_or(self.default)
    }
}

/// A yes or no that a runtime key may change (`config.core.v3.RuntimeFeatureFlag`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuntimeFlag {
    /// What configuration says.
    pub default: bool,
    /// What may say otherwise.
    pub key: Option<RuntimeKey>,
}

impl RuntimeFlag {
    /// As it is now.
    pub fn now(&self) -> bool {
        let said = self.key.as_ref().and_then(RuntimeKey::flag);
        said.unwrap_or(self.default)
    }
}

impl From<FractionalPercent> for RuntimeFraction {
    fn from(default: FractionalPercent) -> Self {
        Self { default, key: None }
    }
}
