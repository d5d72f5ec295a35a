//! Applying header edits.

use http::{HeaderMap, HeaderValue};
use tandem_model::headers::{AppendAction, HeaderAdd, HeaderMutations, HeaderText};

use crate::format::{self, Context};

/// The value of a header to add; `None`: it is empty and such are not wanted, or it has bytes
/// that no header may have.
pub fn value(add: &HeaderAdd, context: &Context<'_>) -> Option<HeaderValue> {
    let value = match &add.value {
        HeaderText::Literal(value) => value.clone(),
        HeaderText::Format(text) => {
            let mut out = Vec::with_capacity(64);
            // A value that is missing leaves nothing in a header, unlike in a log line.
            format::write_or(text, context, b"", &mut out);
            HeaderValue::from_bytes(&out).ok()?
        }
    };
    (add.keep_empty_value || !value.is_empty()).then_some(value)
}

/// Adds a header whose value is known.
pub fn add(headers: &mut HeaderMap, add: &HeaderAdd, value: HeaderValue) {
    match add.action {
        AppendAction::AppendIfExistsOrAdd => {
            headers.append(&add.name, value);
        }
        AppendAction::AddIfAbsent => {
            headers.entry(&add.name).or_insert(value);
        }
        AppendAction::OverwriteIfExistsOrAdd => {
            headers.insert(&add.name, value);
        }
        AppendAction::OverwriteIfExists => {
            if headers.contains_key(&add.name) {
                headers.insert(&add.name, value);
            }
        }
    }
}

/// Removes the headers that one level removes.
pub fn remove(headers: &mut HeaderMap, mutations: &HeaderMutations) {
    for name in &mutations.remove {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
