//! What a plain YAML scalar means to Envoy (yaml-cpp's YAML 1.1 rules, checked against 1.40).

use std::borrow::Cow;

use super::node::Value;

/// Words that stand for null when they are plain and untagged.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Booleans, then integers; everything else, floats too, stays a string, which the field's type
/// decides about later.
pub(super) fn infer(text: Cow<'_, str>) -> Value<'_> {
    if let Some(value) = boolean(&text) {
        return Value::Bool(value);
    }
    match integer(&text) {
        // protobuf's Value holds a double, so Envoy hands on larger integers as strings
        Some(value) if i32::try_from(value).is_ok() => Value::Number(value.to_string().into()),
        Some(value) => Value::String(value.to_string().into()),
        None => Value::String(text),
    }
}

/// `yes`, `Yes` and `YES`, but not `yES`.
fn boolean(text: &str) -> Option<bool> {
    let rest = text.get(1..)?;
    let lower = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase());
    let upper = |s: &str| s.bytes().all(|b| b.is_ascii_uppercase());
    let first_upper = text.as_bytes().first()?.is_ascii_uppercase();
    if !(lower(text) || first_upper && (lower(rest) || upper(rest))) {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// C's integer literals: `0x1F` is hexadecimal and `010` octal.
fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}
