//! Messages, lists and maps.

use super::{Transcoder, scalar, wellknown};
use crate::error::Trail;
use crate::schema::{Field, Kind, Message, Presence};
use crate::source::{Entry, Node, Value};
use crate::wire;

impl Transcoder<'_> {
    pub(super) fn message(
        &mut self,
        trail: &Trail<'_>,
        ty: Message,
        node: &Node<'_>,
        out: &mut Vec<u8>,
    ) {
        if wellknown::write(self, trail, ty, node, out) {
            return;
        }
        match &node.value {
            Value::Map(entries) => self.entries(trail, ty, entries, None, out),
            _ => self.expected(trail, node, &format!("a mapping ({})", ty.name())),
        }
    }

    /// The fields of a message. `skip` is the key that says the type of an `Any`.
    pub(super) fn entries(
        &mut self,
        trail: &Trail<'_>,
        ty: Message,
        entries: &[Entry<'_>],
        skip: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        let mut seen: Vec<Field> = Vec::new();
        for entry in entries.iter().filter(|entry| skip != Some(&*entry.key)) {
            let trail = &trail.field(&entry.key);
            let Some(field) = ty.field_named(&entry.key) else {
                self.fail(
                    trail,
                    entry.position,
                    format!("{} has no such field", ty.name()),
                );
                continue;
            };
            let trail = &Trail::field(trail.up(), field.name());
            let absent = entry.node.value == Value::Null && !wellknown::takes_null(field);
            if absent {
                continue;
            }
            if seen.contains(&field) {
                self.fail(trail, entry.position, "set twice, by both of its names");
                continue;
            }
            let same_oneof = |f: &&Field| f.oneof().is_some() && f.oneof() == field.oneof();
            if let Some(other) = seen.iter().find(same_oneof) {
                let reason = format!("'{}' is set already, only one can be", other.name());
                self.fail(trail, entry.position, reason);
                continue;
            }
            seen.push(field);
            self.field(trail, field, &entry.node, out);
        }
    }

    fn field(&mut self, trail: &Trail<'_>, field: Field, node: &Node<'_>, out: &mut Vec<u8>) {
        if field.is_map() {
            self.map(trail, field, node, out);
        } else if field.is_repeated() {
            let items = match &node.value {
                Value::List(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            self.list(trail, field, items, out);
        } else {
            self.single(trail, field, node, out);
        }
    }

    fn list(&mut self, trail: &Trail<'_>, field: Field, items: &[Node<'_>], out: &mut Vec<u8>) {
        if field.is_packed() {
            let mut packed = Vec::new();
            for (i, item) in items.iter().enumerate() {
                if let Some(value) = self.scalar(&trail.index(i), field.kind(), item) {
                    value.put_untagged(&mut packed);
                }
            }
            if !packed.is_empty() {
                wire::put_bytes(out, field.number(), &packed);
            }
            return;
        }
        for (i, item) in items.iter().enumerate() {
            self.single(&trail.index(i), field, item, out);
        }
    }

    fn map(&mut self, trail: &Trail<'_>, field: Field, node: &Node<'_>, out: &mut Vec<u8>) {
        let (Value::Map(entries), Kind::Message(ty)) = (&node.value, field.kind()) else {
            return self.expected(trail, node, "a mapping");
        };
        let (Some(key_field), Some(value_field)) = (ty.field(1), ty.field(2)) else {
            return;
        };
        for entry in entries {
            let trail = &trail.key(&entry.key);
            let mut bytes = Vec::new();
            // keys are always text: numbers and booleans are read out of it
            let text = Node {
                position: entry.position,
                value: Value::String(entry.key.clone()),
            };
            self.single(trail, key_field, &text, &mut bytes);
            if entry.node.value != Value::Null || wellknown::takes_null(value_field) {
                self.single(trail, value_field, &entry.node, &mut bytes);
            }
            wire::put_bytes(out, field.number(), &bytes);
        }
    }

    fn single(&mut self, trail: &Trail<'_>, field: Field, node: &Node<'_>, out: &mut Vec<u8>) {
        if let Kind::Message(ty) = field.kind() {
            let mut bytes = Vec::new();
            self.message(trail, ty, node, &mut bytes);
            return wire::put_bytes(out, field.number(), &bytes);
        }
        let Some(value) = self.scalar(trail, field.kind(), node) else {
            return;
        };
        if field.presence() != Presence::Implicit || !value.is_zero() {
            value.put(field.number(), out);
        }
    }

    fn scalar<'n>(
        &mut self,
        trail: &Trail<'_>,
        kind: Kind,
        node: &'n Node<'_>,
    ) -> Option<scalar::Scalar<'n>> {
        match scalar::read(kind, &node.value) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.expected(trail, node, &expected);
                None
            }
        }
    }
}
