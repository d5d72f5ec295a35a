//! The messages of `google.protobuf` that JSON writes in a form of their own.

use super::{Transcoder, scalar};
use crate::error::Trail;
use crate::schema::{Field, Kind, Message};
use crate::source::{Entry, Node, Value};
use crate::support::unsupported_type;
use crate::wire;

/// Writes `node` if `ty` has a form of its own and the node is in that form.
pub(super) fn write(
    transcoder: &mut Transcoder<'_>,
    trail: &Trail<'_>,
    ty: Message,
    node: &Node<'_>,
    out: &mut Vec<u8>,
) -> bool {
    let Some(name) = ty.name().strip_prefix("google.protobuf.") else {
        return false;
    };
    match (name, &node.value) {
        ("Any", Value::Map(entries)) => any(transcoder, trail, node, entries, out),
        ("Struct", Value::Map(entries)) => structure(transcoder, trail, entries, out),
        ("ListValue", Value::List(items)) => list_value(transcoder, trail, items, out),
        ("Value", _) => value(transcoder, trail, node, out),
        ("Any" | "Struct", _) => transcoder.expected(trail, node, "a mapping"),
        ("ListValue", _) => transcoder.expected(trail, node, "a list"),
        // Envoy takes these as ordinary messages too
        (_, Value::Map(_)) => return false,
        ("Duration", Value::String(text)) => match duration(text) {
            Some(parts) => put_time(parts, out),
            None => transcoder.expected(trail, node, "a duration like \"1.5s\""),
        },
        ("Duration", _) => transcoder.expected(trail, node, "a duration like \"1.5s\""),
        ("Timestamp", Value::String(text)) => match timestamp(text) {
            Some(parts) => put_time(parts, out),
            None => transcoder.expected(trail, node, "a time like \"2024-01-31T12:00:00Z\""),
        },
        ("FieldMask", Value::String(text)) => {
            for path in text.split(',').filter(|path| !path.is_empty()) {
                wire::put_bytes(out, 1, snake(path).as_bytes());
            }
        }
        _ if name.ends_with("Value") => {
            if let Some(inner) = ty.field(1) {
                match scalar::read(inner.kind(), &node.value) {
                    Ok(value) if value.is_zero() => {}
                    Ok(value) => value.put(1, out),
                    Err(expected) => transcoder.expected(trail, node, &expected),
                }
            }
        }
        _ => return false,
    }
    true
}

/// Whether null is a value of this field, and does not mean "unset".
pub(super) fn takes_null(field: Field) -> bool {
    matches!(field.kind(), Kind::Message(ty) if ty.name() == "google.protobuf.Value")
        && !field.is_repeated()
}

fn any(
    transcoder: &mut Transcoder<'_>,
    trail: &Trail<'_>,
    node: &Node<'_>,
    entries: &[Entry<'_>],
    out: &mut Vec<u8>,
) {
    if entries.is_empty() {
        return;
    }
    let Some(entry) = entries.iter().find(|entry| entry.key == "@type") else {
        return transcoder.fail(
            trail,
            node.position,
            "expected '@type', the type of this message",
        );
    };
    let Value::String(url) = &entry.node.value else {
        return transcoder.expected(&trail.field("@type"), &entry.node, "a type URL");
    };
    let name = match url.rsplit_once('/') {
        Some((host, name)) if !host.is_empty() && !name.is_empty() => name,
        _ => {
            let expected = "a type URL like type.googleapis.com/package.Message";
            return transcoder.expected(&trail.field("@type"), &entry.node, expected);
        }
    };
    let Some(ty) = Message::named(name) else {
        if transcoder.unknown_types {
            return wire::put_bytes(out, 1, url.as_bytes());
        }
        return transcoder.fail(trail, entry.position, unsupported_type(trail, "", url));
    };
    let mut bytes = Vec::new();
    if is_special(ty) {
        // types with a form of their own have it under "value"
        match entries.iter().find(|entry| entry.key == "value") {
            Some(entry) => {
                transcoder.message(&trail.field("value"), ty, &entry.node, &mut bytes);
            }
            None => transcoder.fail(trail, node.position, "expected 'value'"),
        }
    } else {
        transcoder.entries(trail, ty, entries, Some("@type"), &mut bytes);
    }
    wire::put_bytes(out, 1, url.as_bytes());
    if !bytes.is_empty() {
        wire::put_bytes(out, 2, &bytes);
    }
}

fn is_special(ty: Message) -> bool {
    let name = ty.name().strip_prefix("google.protobuf.");
    name.is_some_and(|name| name != "Empty")
}

fn structure(
    transcoder: &mut Transcoder<'_>,
    trail: &Trail<'_>,
    entries: &[Entry<'_>],
    out: &mut Vec<u8>,
) {
    for entry in entries {
        let mut pair = Vec::new();
        wire::put_bytes(&mut pair, 1, entry.key.as_bytes());
        let mut bytes = Vec::new();
        value(
            transcoder,
            &trail.field(&entry.key),
            &entry.node,
            &mut bytes,
        );
        wire::put_bytes(&mut pair, 2, &bytes);
        wire::put_bytes(out, 1, &pair);
    }
}

fn list_value(
    transcoder: &mut Transcoder<'_>,
    trail: &Trail<'_>,
    items: &[Node<'_>],
    out: &mut Vec<u8>,
) {
    for (i, item) in items.iter().enumerate() {
        let mut bytes = Vec::new();
        value(transcoder, &trail.index(i), item, &mut bytes);
        wire::put_bytes(out, 1, &bytes);
    }
}

fn value(transcoder: &mut Transcoder<'_>, trail: &Trail<'_>, node: &Node<'_>, out: &mut Vec<u8>) {
    match &node.value {
        Value::Null => scalar::Scalar::Varint(0).put(1, out),
        Value::Number(_) => match scalar::read(Kind::Double, &node.value) {
            Ok(number) => number.put(2, out),
            Err(expected) => transcoder.expected(trail, node, &expected),
        },
        Value::String(text) => wire::put_bytes(out, 3, text.as_bytes()),
        Value::Bool(value) => scalar::Scalar::Varint(u64::from(*value)).put(4, out),
        Value::Map(entries) => {
            let mut bytes = Vec::new();
            structure(transcoder, trail, entries, &mut bytes);
            wire::put_bytes(out, 5, &bytes);
        }
        Value::List(items) => {
            let mut bytes = Vec::new();
            list_value(transcoder, trail, items, &mut bytes);
            wire::put_bytes(out, 6, &bytes);
        }
    }
}

fn put_time((seconds, nanos): (i64, i32), out: &mut Vec<u8>) {
    for (number, part) in [(1, seconds), (2, i64::from(nanos))] {
        if part != 0 {
            scalar::Scalar::Varint(part.cast_unsigned()).put(number, out);
        }
    }
}

/// Seconds and nanoseconds of `-1.5s`; both have the sign.
fn duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(w, f)| (w, Some(f)));
    let seconds: i64 = decimal(whole)?.try_into().ok()?;
    // the bound of google.protobuf.Duration: 10,000 years
    (seconds <= 315_576_000_000).then_some(())?;
    Some((sign * seconds, sign as i32 * nanos(fraction)?))
}

fn nanos(fraction: Option<&str>) -> Option<i32> {
    let Some(fraction) = fraction else {
        return Some(0);
    };
    let digits = (1..=9).contains(&fraction.len()).then_some(fraction)?;
    decimal(&format!("{digits:0<9}"))?.try_into().ok()
}

fn decimal(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// RFC 3339, as proto3's JSON mapping asks for.
pub(super) fn timestamp(text: &str) -> Option<(i64, i32)> {
    let (date, time) = text.split_once('T')?;
    let mut parts = date.splitn(3, '-').map(decimal);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let zone_at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let offset = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, rest) => {
            let (hours, minutes) = rest.split_once(':')?;
            let minutes = decimal(hours)? * 60 + decimal(minutes)?;
            i64::try_from(minutes).ok()? * if sign == "+" { 60 } else { -60 }
        }
    };
    let (clock, fraction) = clock
        .split_once('.')
        .map_or((clock, None), |(c, f)| (c, Some(f)));
    let mut parts = clock.splitn(3, ':').map(decimal);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && (1..=9999).contains(&year);
    (valid && hour < 24 && minute < 60 && second < 60).then_some(())?;
    let days = days_from_epoch(year as i64, month as i64, day as i64);
    let seconds = ((days * 24 + hour as i64) * 60 + minute as i64) * 60 + second as i64;
    Some((seconds - offset, nanos(fraction)?))
}

/// Days since 1970-01-01 of a Gregorian date; years begin in March here, so that the leap day is
/// the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

fn snake(path: &str) -> String {
    let mut out = String::new();
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
