//! The layout that `src/schema/table.rs` documents and reads.

use std::collections::HashMap;

use envoy_types::pb::validate::{FieldRules, field_rules::Type};
use prost::Message;

use crate::descriptor::Field;
use crate::prune::{Pruned, Syntax};

const NONE: u32 = u32::MAX;

#[derive(Default)]
struct Pool {
    bytes: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
}

impl Pool {
    fn add(&mut self, item: &[u8]) -> Result<u32, String> {
        if let Some(&at) = self.known.get(item) {
            return Ok(at);
        }
        let at = u32::try_from(self.bytes.len()).map_err(|e| e.to_string())?;
        let len = u16::try_from(item.len()).map_err(|e| e.to_string())?;
        self.bytes.extend(len.to_le_bytes());
        self.bytes.extend(item);
        self.known.insert(item.to_vec(), at);
        Ok(at)
    }
}

pub(crate) fn table(pruned: &Pruned<'_>) -> Result<Vec<u8>, String> {
    let message_ids: HashMap<_, _> = pruned
        .messages
        .keys()
        .zip(0u32..)
        .map(|(n, i)| (format!(".{n}"), i))
        .collect();
    let enum_ids: HashMap<_, _> = pruned
        .enums
        .keys()
        .zip(0u32..)
        .map(|(n, i)| (format!(".{n}"), i))
        .collect();
    let mut pool = Pool::default();
    let (mut messages, mut fields, mut enums, mut values) = (vec![], vec![], vec![], vec![]);
    let (mut field_count, mut value_count) = (0u32, 0u32);
    for (name, &(message, syntax)) in &pruned.messages {
        let mut required = 0u32;
        for (i, oneof) in message.oneof.iter().enumerate() {
            if oneof.options.as_ref().is_some_and(|o| o.required) {
                required |= 1 << i;
            }
        }
        let map_entry = message.options.as_ref().is_some_and(|o| o.map_entry);
        put(&mut messages, &[pool.add(name.as_bytes())?, field_count]);
        let count = u16::try_from(message.field.len()).map_err(|e| e.to_string())?;
        messages.extend(count.to_le_bytes());
        messages.extend(u16::from(map_entry).to_le_bytes());
        put(&mut messages, &[required]);
        let mut sorted: Vec<_> = message.field.iter().collect();
        sorted.sort_by_key(|f| f.number);
        for field in sorted {
            let type_ref = match field.type_name.as_str() {
                "" => NONE,
                name => *message_ids
                    .get(name)
                    .or(enum_ids.get(name))
                    .ok_or("lost type")?,
            };
            let map = message_ids.contains_key(&field.type_name)
                && pruned.messages[&field.type_name[1..]]
                    .0
                    .options
                    .as_ref()
                    .is_some_and(|o| o.map_entry);
            let rules = field.options.as_ref().and_then(|o| o.rules.as_ref());
            let rules_at = match rules {
                Some(rules) => pool.add(&rules.encode_to_vec())?,
                None => NONE,
            };
            let number = u32::try_from(field.number).map_err(|e| e.to_string())?;
            let (name, json) = (
                pool.add(field.name.as_bytes())?,
                pool.add(field.json_name.as_bytes())?,
            );
            put(&mut fields, &[name, json, number, type_ref, rules_at]);
            let oneof = field.oneof_index.filter(|_| !field.proto3_optional);
            let oneof = oneof.map_or(u8::MAX, |i| i as u8);
            fields.extend([field.kind as u8, flags(field, map, syntax, rules), oneof, 0]);
            field_count += 1;
        }
    }
    for (name, e) in &pruned.enums {
        put(
            &mut enums,
            &[
                pool.add(name.as_bytes())?,
                value_count,
                e.value.len() as u32,
            ],
        );
        for value in &e.value {
            put(
                &mut values,
                &[pool.add(value.name.as_bytes())?, value.number as u32],
            );
            value_count += 1;
        }
    }
    let sections = [messages, fields, enums, values, pool.bytes];
    let mut out = Vec::new();
    let mut at = 4 * (2 + sections.len() as u32);
    put(
        &mut out,
        &[pruned.messages.len() as u32, pruned.enums.len() as u32],
    );
    for section in &sections {
        put(&mut out, &[at]);
        at += section.len() as u32;
    }
    sections.iter().for_each(|section| out.extend(section));
    Ok(out)
}

fn put(out: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| out.extend(word.to_le_bytes()));
}

fn flags(field: &Field, map: bool, syntax: Syntax, rules: Option<&FieldRules>) -> u8 {
    let repeated = field.label == 3;
    let options = field.options.as_ref();
    let packed = options
        .and_then(|o| o.packed)
        .unwrap_or(syntax == Syntax::Proto3);
    let message = matches!(field.kind, 10 | 11);
    let presence = !repeated
        && (message
            || field.proto3_optional
            || field.oneof_index.is_some()
            || syntax == Syntax::Proto2);
    u8::from(repeated)
        | u8::from(map) << 1
        | u8::from(repeated && packed && !matches!(field.kind, 9..=12)) << 2
        | u8::from(options.is_some_and(|o| o.deprecated)) << 3
        | u8::from(presence) << 4
        | u8::from(rules.is_some_and(|r| checks_absence(r, presence))) << 5
        | u8::from(options.is_some_and(|o| o.sensitive)) << 6
}

/// Whether the rule can fail for a field that is not there.
fn checks_absence(rules: &FieldRules, presence: bool) -> bool {
    let required = rules.message.as_ref().is_some_and(|m| m.required());
    required
        || match &rules.r#type {
            None => false,
            Some(Type::Repeated(r)) => r.min_items() > 0,
            Some(Type::Map(r)) => r.min_pairs() > 0,
            Some(Type::Any(r)) => r.required(),
            Some(Type::Duration(r)) => r.required(),
            Some(Type::Timestamp(r)) => r.required(),
            Some(_) => !presence,
        }
}
