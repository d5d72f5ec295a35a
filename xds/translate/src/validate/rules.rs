//! The single rules. Each says what was expected.

use std::fmt::Display;
use std::time::Duration;

use envoy_types::pb::google::protobuf;
use envoy_types::pb::validate::string_rules::WellKnown;
use envoy_types::pb::validate::{
    BytesRules, DurationRules, EnumRules, FieldRules, KnownRegex, StringRules, field_rules::Type,
};
use prost::Message as _;
use regex::Regex;

use crate::schema::{Enum, Kind};
use crate::view;
use crate::wire::{self, Raw};

type Fail<'f> = &'f mut dyn FnMut(String);

/// Checks one value, or its absence.
pub(crate) fn check(kind: Kind, raw: Option<Raw<'_>>, rules: &FieldRules, fail: Fail<'_>) {
    if raw.is_none() && is_required(rules) {
        return fail("expected a value, it is required".to_owned());
    }
    let Some(rule) = &rules.r#type else { return };
    // rules of a wrapper apply to what it wraps, and to nothing if there is no wrapper
    let (kind, raw) = match kind {
        Kind::Message(ty) if ty.name().ends_with("Value") && ty.field(1).is_some() => {
            let Some(raw) = raw else { return };
            let inner = wire::fields(view::bytes_of(raw))
                .filter_map(Result::ok)
                .last();
            let kind = ty.field(1).map_or(kind, crate::schema::Field::kind);
            (kind, Some(inner.map_or_else(|| zero(kind), |(_, raw)| raw)))
        }
        Kind::Message(_) => (kind, raw),
        // an absent scalar has its zero, unless absence can be told
        _ => (kind, Some(raw.unwrap_or_else(|| zero(kind)))),
    };
    let Some(raw) = raw else { return };
    match rule {
        Type::String(rule) => string(view::bytes_of(raw), rule, fail),
        Type::Bytes(rule) => bytes(view::bytes_of(raw), rule, fail),
        Type::Enum(rule) => {
            if let Kind::Enum(ty) = kind {
                enumeration(ty, number(kind, raw) as i32, rule, fail);
            }
        }
        Type::Duration(rule) => duration(view::bytes_of(raw), rule, fail),
        Type::Bool(rule)
            if rule
                .r#const
                .is_some_and(|c| c != (number(kind, raw) != 0.0)) =>
        {
            fail(format!("expected {}", rule.r#const()));
        }
        Type::Any(rule) => {
            let url = view::any(view::bytes_of(raw)).map_or("", |(url, _)| url);
            let forbidden = rule.not_in.iter().any(|u| u == url);
            if forbidden || !rule.r#in.is_empty() && !rule.r#in.iter().any(|u| u == url) {
                fail(format!("expected another type than {url}"));
            }
        }
        other => numeric(number(kind, raw), other, fail),
    }
}

fn is_required(rules: &FieldRules) -> bool {
    rules.message.as_ref().is_some_and(|m| m.required())
        || match &rules.r#type {
            Some(Type::Any(rule)) => rule.required(),
            Some(Type::Duration(rule)) => rule.required(),
            Some(Type::Timestamp(rule)) => rule.required(),
            _ => false,
        }
}

pub(super) fn count(len: usize, min: Option<u64>, max: Option<u64>, fail: Fail<'_>) {
    let len = len as u64;
    match (min, max) {
        (Some(min), _) if len < min => fail(format!("expected at least {min}, got {len}")),
        (_, Some(max)) if len > max => fail(format!("expected at most {max}, got {len}")),
        _ => {}
    }
}

pub(super) fn unique(raws: &[Raw<'_>], fail: Fail<'_>) {
    let repeated = |i: usize| raws[..i].contains(&raws[i]);
    if let Some(i) = (0..raws.len()).find(|&i| repeated(i)) {
        fail(format!("expected no value twice, [{i}] is"));
    }
}

fn zero(kind: Kind) -> Raw<'static> {
    match kind {
        Kind::String | Kind::Bytes | Kind::Message(_) => Raw::Bytes(&[]),
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Raw::Fixed64(0),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Raw::Fixed32(0),
        _ => Raw::Varint(0),
    }
}

/// Bounds are small numbers, so a double is enough to compare with them.
fn number(kind: Kind, raw: Raw<'_>) -> f64 {
    match (kind, raw) {
        (Kind::Double, Raw::Fixed64(bits)) => f64::from_bits(bits),
        (Kind::Float, Raw::Fixed32(bits)) => f32::from_bits(bits).into(),
        (Kind::Int32 | Kind::Int64 | Kind::Enum(_), Raw::Varint(v)) => v.cast_signed() as f64,
        (Kind::Sint32 | Kind::Sint64, Raw::Varint(v)) => {
            ((v >> 1).cast_signed() ^ -((v & 1).cast_signed())) as f64
        }
        (_, Raw::Varint(v) | Raw::Fixed64(v)) => v as f64,
        (_, Raw::Fixed32(v)) => v.into(),
        (_, Raw::Bytes(_)) => 0.0,
    }
}

struct Bounds {
    gt: Option<f64>,
    gte: Option<f64>,
    lt: Option<f64>,
    lte: Option<f64>,
    not_in: Vec<f64>,
    only: Vec<f64>,
    ignore_empty: bool,
}

macro_rules! bounds {
    ($rule:expr) => {{
        let rule = $rule;
        Bounds {
            gt: rule.gt.map(|v| v as f64),
            gte: rule.gte.map(|v| v as f64),
            lt: rule.lt.map(|v| v as f64),
            lte: rule.lte.map(|v| v as f64),
            not_in: rule.not_in.iter().map(|v| *v as f64).collect(),
            only: rule
                .r#in
                .iter()
                .chain(&rule.r#const)
                .map(|v| *v as f64)
                .collect(),
            ignore_empty: rule.ignore_empty(),
        }
    }};
}

fn numeric(value: f64, rule: &Type, fail: Fail<'_>) {
    let bounds = match rule {
        Type::Float(rule) => bounds!(rule),
        Type::Double(rule) => bounds!(rule),
        Type::Int32(rule) => bounds!(rule),
        Type::Int64(rule) => bounds!(rule),
        Type::Uint32(rule) => bounds!(rule),
        Type::Uint64(rule) => bounds!(rule),
        Type::Fixed32(rule) => bounds!(rule),
        Type::Fixed64(rule) => bounds!(rule),
        _ => return,
    };
    if bounds.ignore_empty && value == 0.0 {
        return;
    }
    let mut broken = |bound: Option<f64>, holds: fn(f64, f64) -> bool, words: &str| {
        if let Some(bound) = bound.filter(|bound| !holds(value, *bound)) {
            fail(format!("expected {words} {bound}, got {value}"));
        }
    };
    broken(bounds.gt, |a, b| a > b, "more than");
    broken(bounds.gte, |a, b| a >= b, "at least");
    broken(bounds.lt, |a, b| a < b, "less than");
    broken(bounds.lte, |a, b| a <= b, "at most");
    if bounds.not_in.contains(&value) || !bounds.only.is_empty() && !bounds.only.contains(&value) {
        fail(format!("expected another number than {value}"));
    }
}

fn enumeration(ty: Enum, value: i32, rule: &EnumRules, fail: Fail<'_>) {
    let name = ty.values().find(|(_, n)| *n == value).map(|(name, _)| name);
    let outside = !rule.r#in.is_empty() && !rule.r#in.contains(&value);
    if name.is_none() && rule.defined_only() {
        fail(format!("expected a value of {}, got {value}", ty.name()));
    } else if rule.not_in.contains(&value) || outside || rule.r#const.is_some_and(|c| c != value) {
        fail(format!(
            "expected another value than {}",
            name.unwrap_or_default()
        ));
    }
}

fn duration(bytes: &[u8], rule: &DurationRules, fail: Fail<'_>) {
    let nanos =
        |d: &protobuf::Duration| i128::from(d.seconds) * 1_000_000_000 + i128::from(d.nanos);
    let Ok(value) = protobuf::Duration::decode(bytes) else {
        return;
    };
    let value = nanos(&value);
    let shown =
        |d: &protobuf::Duration| Duration::from_nanos(u64::try_from(nanos(d)).unwrap_or_default());
    let mut broken =
        |bound: &Option<protobuf::Duration>, ok: fn(i128, i128) -> bool, words: &str| {
            if let Some(bound) = bound.as_ref().filter(|bound| !ok(value, nanos(bound))) {
                fail(format!("expected {words} {:?}", shown(bound)));
            }
        };
    broken(&rule.gt, |a, b| a > b, "more than");
    broken(&rule.gte, |a, b| a >= b, "at least");
    broken(&rule.lt, |a, b| a < b, "less than");
    broken(&rule.lte, |a, b| a <= b, "at most");
}

fn bytes(value: &[u8], rule: &BytesRules, fail: Fail<'_>) {
    if !(rule.ignore_empty() && value.is_empty()) {
        length(
            "bytes",
            value.len() as u64,
            rule.min_len,
            rule.max_len,
            fail,
        );
    }
}

fn length(unit: &str, len: u64, min: Option<u64>, max: Option<u64>, fail: Fail<'_>) {
    match (min, max) {
        (Some(1), _) if len == 0 => fail("expected a value, it must not be empty".to_owned()),
        (Some(min), _) if len < min => fail(format!("expected at least {min} {unit}, got {len}")),
        (_, Some(max)) if len > max => fail(format!("expected at most {max} {unit}, got {len}")),
        _ => {}
    }
}

fn string(value: &[u8], rule: &StringRules, fail: Fail<'_>) {
    let Ok(text) = std::str::from_utf8(value) else {
        return fail("expected UTF-8".to_owned());
    };
    if rule.ignore_empty() && text.is_empty() {
        return;
    }
    length(
        "characters",
        text.chars().count() as u64,
        rule.min_len.or(rule.len),
        rule.max_len.or(rule.len),
        fail,
    );
    length(
        "bytes",
        text.len() as u64,
        rule.min_bytes.or(rule.len_bytes),
        rule.max_bytes.or(rule.len_bytes),
        fail,
    );
    let mut expect = |holds: bool, words: &str, what: &dyn Display| {
        if !holds {
            fail(format!("expected {words} {what}, got {text:?}"));
        }
    };
    if let Some(pattern) = &rule.pattern {
        let matches = Regex::new(pattern).map_or(true, |regex| regex.is_match(text));
        expect(matches, "a match of", pattern);
    }
    if let Some(prefix) = &rule.prefix {
        expect(text.starts_with(prefix.as_str()), "the prefix", prefix);
    }
    if let Some(suffix) = &rule.suffix {
        expect(text.ends_with(suffix.as_str()), "the suffix", suffix);
    }
    if let Some(part) = &rule.contains {
        expect(text.contains(part.as_str()), "a text with", part);
    }
    if let Some(part) = &rule.not_contains {
        expect(!text.contains(part.as_str()), "a text without", part);
    }
    if !rule.r#in.is_empty() {
        expect(
            rule.r#in.iter().any(|t| t == text),
            "one of",
            &rule.r#in.join(", "),
        );
    }
    expect(
        !rule.not_in.iter().any(|t| t == text),
        "another value than",
        &text,
    );
    well_known(text, rule, fail);
}

fn well_known(text: &str, rule: &StringRules, fail: Fail<'_>) {
    let ip = || text.parse::<std::net::IpAddr>().is_ok();
    let (holds, what) = match rule.well_known {
        Some(WellKnown::WellKnownRegex(kind)) => {
            return header_text(text, kind, rule.strict.unwrap_or(true), fail);
        }
        Some(WellKnown::Ip(true)) => (ip(), "an IP address"),
        Some(WellKnown::Ipv4(true)) => (
            text.parse::<std::net::Ipv4Addr>().is_ok(),
            "an IPv4 address",
        ),
        Some(WellKnown::Ipv6(true)) => (
            text.parse::<std::net::Ipv6Addr>().is_ok(),
            "an IPv6 address",
        ),
        Some(WellKnown::Hostname(true)) => (is_host_name(text), "a host name"),
        Some(WellKnown::Address(true)) => (ip() || is_host_name(text), "a host name or IP address"),
        Some(WellKnown::Uri(true)) => (text.contains(':'), "a URI with a scheme"),
        _ => return,
    };
    if !holds {
        fail(format!("expected {what}, got {text:?}"));
    }
}

fn header_text(text: &str, kind: i32, strict: bool, fail: Fail<'_>) {
    let name = kind == KnownRegex::HttpHeaderName as i32;
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_|~`".contains(&b);
    let text_byte = |b: u8| b == b'\t' || (b >= b' ' && b != 0x7f);
    let holds = match (name, strict) {
        (true, true) => {
            let rest = text.strip_prefix(':').unwrap_or(text);
            !rest.is_empty() && rest.bytes().all(token)
        }
        (false, true) => text.bytes().all(text_byte),
        (_, false) => !text.bytes().any(|b| matches!(b, 0 | b'\n' | b'\r')),
    };
    if !holds {
        let what = if name {
            "an HTTP header name"
        } else {
            "an HTTP header value"
        };
        fail(format!("expected {what}, got {text:?}"));
    }
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253 && text.trim_end_matches('.').split('.').all(label)
}
