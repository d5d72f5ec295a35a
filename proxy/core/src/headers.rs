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

/// Whether there are fields that are about one connection only (RFC 9110, 7.6.1; `te` is not
/// counted). One look over the few names that came is cheaper than a look-up of each.
pub fn has_connection_fields(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        matches!(
            name.as_str(),
            "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
        )
    })
}

#[cfg(test)]
mod tests;
