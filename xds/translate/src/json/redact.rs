//! Hides what is sensitive in messages that come as loose values.

use serde_json::Value;

use crate::schema::{Field, Kind, Message};
use crate::view;

/// What stands for a hidden text.
pub(super) const REDACTED: &str = "[redacted]";

/// A `TypedStruct` has its type beside the values: they are hidden as fields of that type.
pub(super) fn typed_struct(ty: Message, content: &mut Value) {
    if !ty.name().ends_with(".TypedStruct") {
        return;
    }
    let carried = content["type_url"].as_str().and_then(view::any_type);
    if let (Some(carried), Some(value)) = (carried, content.get_mut("value")) {
        hide(carried, value);
    }
}

fn hide(ty: Message, value: &mut Value) {
    let Value::Object(fields) = value else { return };
    let ty = match fields.get("@type").and_then(Value::as_str) {
        Some(url) => view::any_type(url).unwrap_or(ty),
        None => ty,
    };
    for (name, value) in fields.iter_mut() {
        if let Some(field) = ty.field_named(name) {
            hide_field(field, value);
        }
    }
    typed_struct(ty, value);
}

fn hide_field(field: Field, value: &mut Value) {
    match (field.kind(), value) {
        (_, value) if field.is_sensitive() => mask(value),
        (Kind::Message(entry), Value::Object(entries)) if field.is_map() => {
            if let Some(field) = entry.field(2) {
                entries
                    .values_mut()
                    .for_each(|value| hide_field(field, value));
            }
        }
        (Kind::Message(ty), Value::Array(items)) => {
            items.iter_mut().for_each(|item| hide(ty, item));
        }
        (Kind::Message(ty), value) => hide(ty, value),
        _ => {}
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => REDACTED.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        other => *other = Value::Null,
    }
}
