//! The constraints that Envoy's messages carry in their `.proto` files (`validate.rules`).

pub(crate) mod rules;

use envoy_types::pb::validate::{FieldRules, field_rules::Type};
use prost::Message as _;

use crate::error::{Error, Trail};
use crate::schema::{Field, Kind, Message};
use crate::view::{self, View};
use crate::wire::Raw;

/// Reports every broken constraint of a serialised message and of all messages in it.
pub(crate) fn check(ty: Message, bytes: &[u8]) -> Vec<Error> {
    let mut errors = Vec::new();
    message(&Trail::ROOT, ty, bytes, &mut errors);
    errors
}

/// Whether a field that is in no oneof must be there.
pub(crate) fn must_be_there(field: Field) -> bool {
    let rules = (field.rules()).filter(|_| field.rules_need_value());
    let Some(rules) = rules.and_then(|bytes| FieldRules::decode(bytes).ok()) else {
        return false;
    };
    let mut errors = Vec::new();
    field_rules(&Trail::ROOT, field, None, Some(&rules), &mut errors);
    !errors.is_empty()
}

fn message(trail: &Trail<'_>, ty: Message, bytes: &[u8], errors: &mut Vec<Error>) {
    // malformed bytes are reported by the support check
    let Ok(view) = View::of(ty, bytes) else {
        return;
    };
    for field in ty.fields() {
        let raws = view.get(field);
        // the rules of a oneof's member hold once it was chosen
        if raws.is_none() && (!field.rules_need_value() || field.oneof().is_some()) {
            continue;
        }
        let rules = field
            .rules()
            .and_then(|bytes| FieldRules::decode(bytes).ok());
        field_rules(
            &trail.field(field.name()),
            field,
            raws,
            rules.as_ref(),
            errors,
        );
    }
    required_oneofs(trail, ty, &view, errors);
}

fn required_oneofs(trail: &Trail<'_>, ty: Message, view: &View<'_>, errors: &mut Vec<Error>) {
    for oneof in (0..32).filter(|&oneof| ty.requires(oneof)) {
        if view
            .fields
            .iter()
            .all(|(field, _)| field.oneof() != Some(oneof))
        {
            let members = ty.fields().filter(|field| field.oneof() == Some(oneof));
            let names: Vec<_> = members.map(Field::name).collect();
            errors.push(Error::new(
                trail,
                format!("expected one of {}", names.join(", ")),
            ));
        }
    }
}

fn field_rules(
    trail: &Trail<'_>,
    field: Field,
    raws: Option<&[Raw<'_>]>,
    rules: Option<&FieldRules>,
    errors: &mut Vec<Error>,
) {
    let mut fail = |reason: String| errors.push(Error::new(trail, reason));
    match (
        rules.and_then(|rules| rules.r#type.as_ref()),
        field.is_repeated(),
    ) {
        (Some(Type::Repeated(rule)), true) => {
            rules::count(
                raws.map_or(0, <[_]>::len),
                rule.min_items,
                rule.max_items,
                &mut fail,
            );
            if rule.unique() {
                rules::unique(raws.unwrap_or_default(), &mut fail);
            }
            items(
                trail,
                field,
                raws.unwrap_or_default(),
                rule.items.as_deref(),
                errors,
            );
        }
        (Some(Type::Map(rule)), true) => {
            rules::count(
                raws.map_or(0, <[_]>::len),
                rule.min_pairs,
                rule.max_pairs,
                &mut fail,
            );
            pairs(
                trail,
                field,
                raws.unwrap_or_default(),
                rule.keys.as_deref(),
                rule.values.as_deref(),
                errors,
            );
        }
        (_, true) if field.is_map() => {
            pairs(trail, field, raws.unwrap_or_default(), None, None, errors);
        }
        (_, true) => items(trail, field, raws.unwrap_or_default(), None, errors),
        (_, false) => {
            let last = raws.and_then(|raws| match field.kind() {
                Kind::Message(_) => None,
                _ => raws.last().copied(),
            });
            let whole = raws.filter(|_| last.is_none()).map(view::merged);
            let raw = last.or(whole.as_deref().map(Raw::Bytes));
            value(trail, field.kind(), raw, rules, errors);
        }
    }
}

fn items(
    trail: &Trail<'_>,
    field: Field,
    raws: &[Raw<'_>],
    rules: Option<&FieldRules>,
    errors: &mut Vec<Error>,
) {
    for (i, raw) in raws.iter().enumerate() {
        value(&trail.index(i), field.kind(), Some(*raw), rules, errors);
    }
}

fn pairs(
    trail: &Trail<'_>,
    field: Field,
    raws: &[Raw<'_>],
    keys: Option<&FieldRules>,
    values: Option<&FieldRules>,
    errors: &mut Vec<Error>,
) {
    let Kind::Message(ty) = field.kind() else {
        return;
    };
    for raw in raws {
        let Ok((key, of)) = view::map_entry(ty, view::bytes_of(*raw)) else {
            continue;
        };
        let trail = &trail.key(&key);
        if let Some(key_field) = ty.field(1).filter(|f| f.kind() == Kind::String) {
            value(
                trail,
                key_field.kind(),
                Some(Raw::Bytes(key.as_bytes())),
                keys,
                errors,
            );
        }
        if let Some(value_field) = ty.field(2) {
            value(trail, value_field.kind(), of, values, errors);
        }
    }
}

/// One value: its own rules, then those of what is in it.
fn value(
    trail: &Trail<'_>,
    kind: Kind,
    raw: Option<Raw<'_>>,
    rules: Option<&FieldRules>,
    errors: &mut Vec<Error>,
) {
    if let Some(rules) = rules {
        let mut fail = |reason: String| errors.push(Error::new(trail, reason));
        rules::check(kind, raw, rules, &mut fail);
        if rules.message.as_ref().is_some_and(|m| m.skip()) {
            return;
        }
    }
    let (Kind::Message(ty), Some(Raw::Bytes(bytes))) = (kind, raw) else {
        return;
    };
    if ty.name() == "google.protobuf.Any" {
        if let Some((ty, inner)) = view::any(bytes)
            .ok()
            .and_then(|(url, v)| Some((view::any_type(url)?, v)))
        {
            message(trail, ty, inner, errors);
        }
    } else if !ty.name().starts_with("google.protobuf.") {
        message(trail, ty, bytes, errors);
    }
}

#[cfg(test)]
mod tests;
