//! Numbers, booleans, strings, bytes and enums.

use std::borrow::Cow;

use crate::schema::{Enum, Kind};
use crate::source::Value;
use crate::wire;

/// A scalar as the wire wants it.
pub(super) enum Scalar<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Cow<'a, [u8]>),
}

impl Scalar<'_> {
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Varint(v) | Self::Fixed64(v) => *v == 0,
            Self::Fixed32(v) => *v == 0,
            Self::Bytes(bytes) => bytes.is_empty(),
        }
    }

    pub(super) fn put(&self, number: u32, out: &mut Vec<u8>) {
        let wire_type = match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Fixed32(_) => 5,
        };
        wire::put_tag(out, number, wire_type);
        self.put_untagged(out);
    }

    pub(super) fn put_untagged(&self, out: &mut Vec<u8>) {
        match self {
            Self::Varint(v) => wire::put_varint(out, *v),
            Self::Fixed64(v) => out.extend(v.to_le_bytes()),
            Self::Fixed32(v) => out.extend(v.to_le_bytes()),
            Self::Bytes(bytes) => {
                wire::put_varint(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// Reads a scalar, or says what was expected.
pub(super) fn read<'a>(kind: Kind, value: &'a Value<'_>) -> Result<Scalar<'a>, String> {
    Ok(match kind {
        Kind::Bool => Scalar::Varint(u64::from(boolean(value).ok_or("true or false")?)),
        Kind::String => match value {
            Value::String(text) => Scalar::Bytes(text.as_bytes().into()),
            Value::Bool(_) | Value::Number(_) => return Err("a string (quote it)".to_owned()),
            _ => return Err("a string".to_owned()),
        },
        Kind::Bytes => match value {
            Value::String(text) => Scalar::Bytes(base64(text).ok_or("base64")?.into()),
            _ => return Err("base64".to_owned()),
        },
        Kind::Enum(ty) => Scalar::Varint(i64::from(enumeration(ty, value)?).cast_unsigned()),
        Kind::Double => Scalar::Fixed64(float(value).ok_or("a number")?.to_bits()),
        Kind::Float => {
            let wide = float(value).ok_or("a number")?;
            let narrow = wide as f32;
            if wide.is_finite() && narrow.is_infinite() {
                return Err("a number in the range of a 32 bit float".to_owned());
            }
            Scalar::Fixed32(narrow.to_bits())
        }
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            signed(kind, integer(value, i32::MIN.into(), i32::MAX.into())?)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            signed(kind, integer(value, i64::MIN.into(), i64::MAX.into())?)
        }
        Kind::Uint32 => Scalar::Varint(integer(value, 0, u32::MAX.into())? as u64),
        Kind::Uint64 => Scalar::Varint(integer(value, 0, u64::MAX.into())? as u64),
        Kind::Fixed32 => Scalar::Fixed32(integer(value, 0, u32::MAX.into())? as u32),
        Kind::Fixed64 => Scalar::Fixed64(integer(value, 0, u64::MAX.into())? as u64),
        Kind::Message(_) => return Err("a mapping".to_owned()),
    })
}

fn signed(kind: Kind, value: i128) -> Scalar<'static> {
    let value = value as i64;
    match kind {
        Kind::Sint32 | Kind::Sint64 => Scalar::Varint((value << 1 ^ value >> 63).cast_unsigned()),
        Kind::Sfixed32 => Scalar::Fixed32(value as u32),
        Kind::Sfixed64 => Scalar::Fixed64(value.cast_unsigned()),
        _ => Scalar::Varint(value.cast_unsigned()),
    }
}

fn boolean(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn float(value: &Value<'_>) -> Option<f64> {
    let (Value::Number(text) | Value::String(text)) = value else {
        return None;
    };
    match text.as_ref() {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text if text
            .bytes()
            .any(|b| b.is_ascii_alphabetic() && !b.eq_ignore_ascii_case(&b'e')) =>
        {
            None
        }
        text => text.parse::<f64>().ok().filter(|value| value.is_finite()),
    }
}

/// `1.0` and `1e3` are integers too.
fn integer(value: &Value<'_>, min: i128, max: i128) -> Result<i128, String> {
    let expected = || format!("an integer from {min} to {max}");
    let (Value::Number(text) | Value::String(text)) = value else {
        return Err(expected());
    };
    let whole = |v: f64| (v.fract() == 0.0 && v.abs() < 1e18).then_some(v as i128);
    let parsed = match text.parse::<i128>() {
        Ok(_) if text.starts_with('+') => None,
        Ok(value) => Some(value),
        Err(_) => float(value).and_then(whole),
    };
    parsed
        .filter(|value| (min..=max).contains(value))
        .ok_or_else(expected)
}

fn enumeration(ty: Enum, value: &Value<'_>) -> Result<i32, String> {
    let known = match value {
        Value::String(text) | Value::Number(text) => {
            let number = text.parse::<i32>().ok();
            ty.values()
                .find(|(name, n)| name.eq_ignore_ascii_case(text) || Some(*n) == number)
        }
        _ => None,
    };
    known.map(|(_, number)| number).ok_or_else(|| {
        let names: Vec<_> = ty.values().map(|(name, _)| name).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Either alphabet, padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut bits = 0u32;
        for &digit in chunk {
            let six = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(six);
        }
        let bytes = (bits << (6 * (4 - chunk.len()))).to_be_bytes();
        out.extend_from_slice(match chunk.len() {
            4 => &bytes[1..4],
            3 => &bytes[1..3],
            2 => &bytes[1..2],
            _ => return None,
        });
    }
    Some(out)
}
