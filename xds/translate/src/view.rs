//! A message's fields, grouped, as the generic walks need them.

use std::borrow::Cow;

use crate::schema::{Field, Kind, Message, Presence};
use crate::wire::{self, Malformed, Raw};

/// The set fields of one message, in the order in which they first appear.
pub(crate) struct View<'a> {
    pub(crate) fields: Vec<(Field, Vec<Raw<'a>>)>,
    /// Numbers that the message type does not have.
    pub(crate) unknown: Vec<u32>,
}

impl<'a> View<'a> {
    pub(crate) fn of(ty: Message, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut view = View {
            fields: Vec::new(),
            unknown: Vec::new(),
        };
        for item in wire::fields(bytes) {
            let (number, raw) = item?;
            match ty.field(number) {
                Some(field) => view.add(field, raw)?,
                None => view.unknown.push(number),
            }
        }
        // a zero is as good as nothing where the type cannot tell them apart
        view.fields.retain(|(field, raws)| {
            field.presence() != Presence::Implicit || raws.last().is_some_and(|raw| !is_zero(*raw))
        });
        Ok(view)
    }

    fn add(&mut self, field: Field, raw: Raw<'a>) -> Result<(), Malformed> {
        let at = self.fields.iter().position(|(f, _)| *f == field);
        let at = at.unwrap_or_else(|| {
            self.fields.push((field, Vec::new()));
            self.fields.len() - 1
        });
        let values = &mut self.fields[at].1;
        match raw {
            Raw::Bytes(bytes) if field.is_repeated() && is_number(field.kind()) => {
                unpack(field.kind(), bytes, values)?;
            }
            raw => values.push(raw),
        }
        Ok(())
    }

    pub(crate) fn get(&self, field: Field) -> Option<&[Raw<'a>]> {
        self.fields
            .iter()
            .find(|(f, _)| *f == field)
            .map(|(_, raws)| raws.as_slice())
    }

    /// The text of a singular field; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &'a str {
        let found = self.fields.iter().find(|(f, _)| f.name() == name);
        let last = found.and_then(|(_, raws)| raws.last());
        let bytes = last.map_or(&[][..], |raw| bytes_of(*raw));
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn bytes(&self, number: u32) -> &'a [u8] {
        let found = self.fields.iter().find(|(f, _)| f.number() == number);
        match found.and_then(|(_, raws)| raws.last()) {
            Some(Raw::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }
}

/// Type URL and content of a serialised `Any`.
pub(crate) fn any(bytes: &[u8]) -> Result<(&str, &[u8]), Malformed> {
    let ty = Message::named("google.protobuf.Any").ok_or(Malformed)?;
    let view = View::of(ty, bytes)?;
    let url = std::str::from_utf8(view.bytes(1)).map_err(|_| Malformed)?;
    Ok((url, view.bytes(2)))
}

/// The type that a type URL names, if the schema has it.
pub(crate) fn any_type(url: &str) -> Option<Message> {
    Message::named(url.rsplit('/').next().unwrap_or_default())
}

/// Key (as text) and value of a serialised map entry.
pub(crate) fn map_entry(ty: Message, bytes: &[u8]) -> Result<(String, Option<Raw<'_>>), Malformed> {
    let (mut key, mut value) = (String::new(), None);
    for item in wire::fields(bytes) {
        match item? {
            (1, Raw::Bytes(bytes)) => key = String::from_utf8_lossy(bytes).into_owned(),
            (1, Raw::Varint(number)) => key = number.to_string(),
            (2, raw) => value = Some(raw),
            _ => {}
        }
    }
    let empty = || ty.field(2).filter(|f| matches!(f.kind(), Kind::Message(_)));
    Ok((key, value.or_else(|| empty().map(|_| Raw::Bytes(&[])))))
}

/// A singular message that is there several times is the parts one after the other.
pub(crate) fn merged<'a>(raws: &[Raw<'a>]) -> Cow<'a, [u8]> {
    match raws {
        [Raw::Bytes(bytes)] => Cow::Borrowed(bytes),
        parts => Cow::Owned(
            parts
                .iter()
                .flat_map(|raw| bytes_of(*raw))
                .copied()
                .collect(),
        ),
    }
}

pub(crate) fn bytes_of(raw: Raw<'_>) -> &[u8] {
    match raw {
        Raw::Bytes(bytes) => bytes,
        _ => &[],
    }
}

pub(crate) fn is_zero(raw: Raw<'_>) -> bool {
    match raw {
        Raw::Varint(v) | Raw::Fixed64(v) => v == 0,
        Raw::Fixed32(v) => v == 0,
        Raw::Bytes(bytes) => bytes.is_empty(),
    }
}

fn is_number(kind: Kind) -> bool {
    !matches!(kind, Kind::String | Kind::Bytes | Kind::Message(_))
}

fn unpack<'a>(kind: Kind, mut rest: &[u8], out: &mut Vec<Raw<'a>>) -> Result<(), Malformed> {
    while !rest.is_empty() {
        let fixed = match kind {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 8,
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 4,
            _ => 0,
        };
        if fixed == 0 {
            out.push(Raw::Varint(wire::varint(&mut rest).ok_or(Malformed)?));
            continue;
        }
        let (head, tail) = rest.split_at_checked(fixed).ok_or(Malformed)?;
        rest = tail;
        let mut word = [0; 8];
        word[..fixed].copy_from_slice(head);
        let word = u64::from_le_bytes(word);
        out.push(if fixed == 8 {
            Raw::Fixed64(word)
        } else {
            Raw::Fixed32(word as u32)
        });
    }
    Ok(())
}
