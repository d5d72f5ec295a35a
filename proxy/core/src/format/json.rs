//! JSON lines. Every value that came from outside is escaped: a log line cannot be forged.

use std::io::Write as _;
use std::sync::Arc;

use tandem_model::format::{Format, JsonFormat, JsonValue, Segment};

use super::Context;
use super::operator::{self, Kind};

/// Appends the object.
pub(super) fn write(format: &JsonFormat, context: &Context<'_>, out: &mut Vec<u8>) {
    object(&format.root, format.omit_empty, context, out);
}

fn object(
    entries: &[(Arc<str>, JsonValue)],
    omit_empty: bool,
    context: &Context<'_>,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    let mut first = true;
    for (key, entry) in entries {
        let start = out.len();
        if !first {
            out.push(b',');
        }
        out.push(b'"');
        escape(key.as_bytes(), out);
        out.extend_from_slice(b"\":");
        if value(entry, omit_empty, context, out) || !omit_empty {
            first = false;
        } else {
            out.truncate(start);
        }
    }
    out.push(b'}');
}

/// Appends a value; `false`: there was none and `null` was written.
fn value(entry: &JsonValue, omit_empty: bool, context: &Context<'_>, out: &mut Vec<u8>) -> bool {
    match entry {
        JsonValue::Literal(text) => out.extend_from_slice(text.as_bytes()),
        JsonValue::Null => {
            out.extend_from_slice(b"null");
            return false;
        }
        JsonValue::Object(entries) => {
            let start = out.len();
            object(entries, omit_empty, context, out);
            // One of which nothing is left has no value either.
            return out.len() > start + "{}".len();
        }
        JsonValue::Array(items) => {
            out.push(b'[');
            let mut first = true;
            for item in items {
                let start = out.len();
                if !first {
                    out.push(b',');
                }
                if value(item, omit_empty, context, out) || !omit_empty {
                    first = false;
                } else {
                    out.truncate(start);
                }
            }
            out.push(b']');
        }
        JsonValue::Format(format) => return string(format, context, out),
    }
    true
}

fn string(format: &Format, context: &Context<'_>, out: &mut Vec<u8>) -> bool {
    // One operator alone keeps its type; its text is written after the quote and the quote
    // dropped again if it turns out to be a number, so that nothing is copied.
    if let [Segment::Operator(operator, limit)] = format.segments.as_slice() {
        let start = out.len();
        out.push(b'"');
        match operator::write(operator, context, out) {
            None => {
                out.truncate(start);
                out.extend_from_slice(b"null");
                return false;
            }
            Some(kind) => {
                if let Some(limit) = limit {
                    out.truncate(out.len().min(start + 1 + limit));
                }
                if kind == Kind::Number && limit.is_none() {
                    out.remove(start);
                } else {
                    escape_tail(start + 1, out);
                    out.push(b'"');
                }
            }
        }
        return true;
    }
    out.push(b'"');
    let start = out.len();
    super::write(format, context, out);
    escape_tail(start, out);
    out.push(b'"');
    true
}

/// Whether the text stands for itself in a JSON string. Nearly all does, keys above all, and
/// going over it character by character costs more than writing it.
fn is_plain(text: &[u8]) -> bool {
    // Without a way out in between, so that the compiler takes many at once.
    !text.iter().fold(false, |special, byte| {
        special | !(0x20..0x7f).contains(byte) | (*byte == b'"') | (*byte == b'\\')
    })
}

/// Escapes what was appended since `start`; usually there is nothing to do.
fn escape_tail(start: usize, out: &mut Vec<u8>) {
    if is_plain(&out[start..]) {
        return;
    }
    let raw = out.split_off(start);
    escape(&raw, out);
}

/// Appends JSON string content; what is not UTF-8 becomes U+FFFD.
fn escape(raw: &[u8], out: &mut Vec<u8>) {
    if is_plain(raw) {
        return out.extend_from_slice(raw);
    }
    for character in String::from_utf8_lossy(raw).chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            control if u32::from(control) < 0x20 || control == '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => {
                let _ = write!(out, "{other}");
            }
        }
    }
}
