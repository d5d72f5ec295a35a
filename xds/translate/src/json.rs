//! A serialised message as JSON, as Envoy's `/config_dump` writes it: original field names,
//! `@type` in every `Any`, and `[redacted]` for what Envoy's schema marks as sensitive.

use serde_json::{Map, Number, Value};

use crate::schema::{Field, Kind, Message};
use crate::view::{self, View};
use crate::wire::{self, Malformed, Raw};

mod mask;
mod redact;
#[cfg(test)]
mod tests;

pub use mask::trim;
use redact::REDACTED;

/// Writes a message; what its schema does not know is left out, what it marks as sensitive is
/// hidden.
pub(crate) fn message(ty: Message, bytes: &[u8]) -> Result<Value, Malformed> {
    write(ty, bytes, false)
}

/// Below a sensitive field everything is hidden: texts are replaced, numbers are left out.
fn write(ty: Message, bytes: &[u8], hidden: bool) -> Result<Value, Malformed> {
    match ty.name().strip_prefix("google.protobuf.") {
        Some("Any") => any(bytes, hidden),
        Some("Struct") => {
            fields(ty, bytes, hidden).map(|mut all| all.remove("fields").unwrap_or_else(empty))
        }
        Some("ListValue") => {
            let list = || Value::Array(Vec::new());
            fields(ty, bytes, hidden).map(|mut all| all.remove("values").unwrap_or_else(list))
        }
        Some("Value") => {
            let mut all = fields(ty, bytes, hidden)?.into_iter();
            Ok(all.next().map_or(Value::Null, |(_, value)| value))
        }
        Some("Duration") if hidden => Ok("0s".into()),
        Some("Duration") => time(bytes, |seconds, nanos| {
            let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
            let digits = format!("{:09}", nanos.unsigned_abs());
            let fraction = digits.trim_end_matches('0');
            let dot = if fraction.is_empty() { "" } else { "." };
            format!("{sign}{}{dot}{fraction}s", seconds.unsigned_abs())
        }),
        Some(name) if name.ends_with("Value") => {
            let Some(inner) = ty.field(1) else {
                return Ok(Value::Null);
            };
            let last = wire::fields(bytes).last().transpose()?;
            let raw = match last {
                Some((_, raw)) if !hidden || is_text(inner) => raw,
                _ => zero(inner.kind()),
            };
            single(inner, raw, hidden)
        }
        _ => fields(ty, bytes, hidden).map(Value::Object),
    }
}

fn fields(ty: Message, bytes: &[u8], hidden: bool) -> Result<Map<String, Value>, Malformed> {
    let view = View::of(ty, bytes)?;
    let mut out = Map::new();
    for (field, raws) in &view.fields {
        let hidden = hidden || field.is_sensitive();
        if hidden && !is_text(*field) && !matches!(field.kind(), Kind::Message(_)) {
            continue;
        }
        out.insert(field.name().to_owned(), value(*field, raws, hidden)?);
    }
    Ok(out)
}

fn value(field: Field, raws: &[Raw<'_>], hidden: bool) -> Result<Value, Malformed> {
    match field.kind() {
        Kind::Message(ty) if field.is_map() => {
            let mut out = Map::new();
            for raw in raws {
                let (key, of) = view::map_entry(ty, view::bytes_of(*raw))?;
                if let (Some(field), Some(of)) = (ty.field(2), of) {
                    out.insert(key, single(field, of, hidden)?);
                }
            }
            Ok(Value::Object(out))
        }
        _ if field.is_repeated() => raws
            .iter()
            .map(|raw| single(field, *raw, hidden))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Kind::Message(ty) => write(ty, &view::merged(raws), hidden),
        _ => raws
            .last()
            .map_or(Ok(Value::Null), |raw| single(field, *raw, hidden)),
    }
}

fn single(field: Field, raw: Raw<'_>, hidden: bool) -> Result<Value, Malformed> {
    Ok(match (field.kind(), raw) {
        (Kind::Message(ty), raw) => write(ty, view::bytes_of(raw), hidden)?,
        (Kind::String, _) if hidden => REDACTED.into(),
        (Kind::Bytes, _) if hidden => base64(REDACTED.as_bytes()).into(),
        (Kind::String, raw) => String::from_utf8_lossy(view::bytes_of(raw)).into(),
        (Kind::Bytes, raw) => base64(view::bytes_of(raw)).into(),
        (Kind::Bool, Raw::Varint(v)) => (v != 0).into(),
        (Kind::Enum(ty), Raw::Varint(v)) => {
            let number = v.cast_signed() as i32;
            match ty.values().find(|(_, n)| *n == number) {
                Some(("NULL_VALUE", _)) => Value::Null,
                Some((name, _)) => name.into(),
                None => number.into(),
            }
        }
        (Kind::Double, Raw::Fixed64(bits)) => float(f64::from_bits(bits)),
        (Kind::Float, Raw::Fixed32(bits)) => float(f32::from_bits(bits).into()),
        (Kind::Int32, Raw::Varint(v)) => (v.cast_signed() as i32).into(),
        (Kind::Sint32, Raw::Varint(v)) => (zigzag(v) as i32).into(),
        (Kind::Sfixed32, Raw::Fixed32(v)) => v.cast_signed().into(),
        (Kind::Uint32, Raw::Varint(v)) => (v as u32).into(),
        (Kind::Fixed32, Raw::Fixed32(v)) => v.into(),
        // 64 bits do not fit into a JSON number everywhere
        (Kind::Int64, Raw::Varint(v)) | (Kind::Sfixed64, Raw::Fixed64(v)) => {
            v.cast_signed().to_string().into()
        }
        (Kind::Sint64, Raw::Varint(v)) => zigzag(v).to_string().into(),
        (Kind::Uint64, Raw::Varint(v)) | (Kind::Fixed64, Raw::Fixed64(v)) => v.to_string().into(),
        _ => return Err(Malformed),
    })
}

fn any(bytes: &[u8], hidden: bool) -> Result<Value, Malformed> {
    let (url, inner) = view::any(bytes)?;
    let content = match view::any_type(url) {
        Some(ty) => {
            let mut content = write(ty, inner, hidden)?;
            redact::typed_struct(ty, &mut content);
            content
        }
        None => empty(),
    };
    let mut out = Map::from_iter([("@type".to_owned(), url.into())]);
    match content {
        Value::Object(content) if !url.contains("google.protobuf.") => out.extend(content),
        content => {
            out.insert("value".to_owned(), content);
        }
    }
    Ok(Value::Object(out))
}

fn time(bytes: &[u8], write: impl Fn(i64, i64) -> String) -> Result<Value, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    for item in wire::fields(bytes) {
        match item? {
            (1, Raw::Varint(v)) => seconds = v.cast_signed(),
            (2, Raw::Varint(v)) => nanos = v.cast_signed(),
            _ => {}
        }
    }
    Ok(write(seconds, nanos).into())
}

fn is_text(field: Field) -> bool {
    matches!(field.kind(), Kind::String | Kind::Bytes)
}

fn zero(kind: Kind) -> Raw<'static> {
    match kind {
        Kind::String | Kind::Bytes | Kind::Message(_) => Raw::Bytes(&[]),
        Kind::Double => Raw::Fixed64(0),
        Kind::Float => Raw::Fixed32(0),
        _ => Raw::Varint(0),
    }
}

fn zigzag(v: u64) -> i64 {
    (v >> 1).cast_signed() ^ -((v & 1).cast_signed())
}

/// A whole number is written as one.
fn float(v: f64) -> Value {
    if v.fract() == 0.0 && v.abs() < 1e15 {
        return (v as i64).into();
    }
    Number::from_f64(v).map_or_else(|| v.to_string().into(), Value::Number)
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(word);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}
