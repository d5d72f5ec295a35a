//! Whether a message is plainly right, in one quick pass.
//!
//! [`support`](crate::support) and [`validate`](crate::validate) say what is wrong and where, and
//! keep the way there. Nearly all that a control plane sends is right, and one endpoint that
//! changes in a mesh of a hundred thousand is sent with all others of its cluster. So this is asked
//! first. It says yes only where both of them would find nothing; whatever it does not know (an
//! `Any`, a field that is there twice, a zero that need not have been said, anything wrong) is
//! theirs to judge.

mod plan;

use plan::{Field, Plan, Value};

use crate::schema::{Kind, Message};
use crate::validate::rules;
use crate::view::{bytes_of, is_zero};
use crate::wire::{self, Raw};

/// Messages within messages; more are rare, and none is refused for it.
const DEPTH: usize = 32;

/// Whether neither check would report anything. `false` says nothing.
pub(crate) fn is_right(ty: Message, bytes: &[u8]) -> bool {
    message(ty, bytes, DEPTH).is_some()
}

/// `None` where it is not plain.
fn message(ty: Message, bytes: &[u8], depth: usize) -> Option<()> {
    let plan = Plan::of(ty)?;
    let depth = depth.checked_sub(1)?;
    let mut seen = 0;
    for item in wire::fields(bytes) {
        let (number, raw) = item.ok()?;
        let (place, field) = plan.field(number)?;
        let bit = 1 << place;
        let again = seen & bit != 0 && !field.repeated;
        if again || field.implicit && is_zero(raw) {
            return None;
        }
        seen |= bit;
        match &field.key {
            None => value(&field.value, raw, depth)?,
            Some(key) => entry(key, field, raw, depth)?,
        }
    }
    plan.is_complete(seen).then_some(())
}

/// An entry of a map that says both its key and its value.
fn entry(key: &Value, field: &Field, raw: Raw<'_>, depth: usize) -> Option<()> {
    let Raw::Bytes(bytes) = raw else { return None };
    let mut parts = wire::fields(bytes);
    let mut next = |number| match parts.next() {
        Some(Ok((found, raw))) => (found == number).then_some(raw),
        _ => None,
    };
    value(key, next(1)?, depth)?;
    value(&field.value, next(2)?, depth)?;
    parts.next().is_none().then_some(())
}

fn value(known: &Value, raw: Raw<'_>, depth: usize) -> Option<()> {
    let is_bytes = matches!(raw, Raw::Bytes(_));
    // Numbers may come many at once, as bytes.
    if is_bytes != matches!(known.kind, Kind::Message(_) | Kind::String | Kind::Bytes) {
        return None;
    }
    if let Some(rule) = &known.rules {
        let mut broken = false;
        rules::check(known.kind, Some(raw), rule, &mut |_| broken = true);
        if broken {
            return None;
        }
    }
    if let Some(numbers) = &known.only {
        let Raw::Varint(number) = raw else {
            return None;
        };
        return numbers.contains(&number).then_some(());
    }
    match known.kind {
        Kind::Message(ty) if !known.leaf => message(ty, bytes_of(raw), depth),
        _ => Some(()),
    }
}

#[cfg(test)]
mod tests;
