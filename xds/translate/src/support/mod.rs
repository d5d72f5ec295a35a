//! What Tandem understands of Envoy's configuration, and the refusal of everything else.
//!
//! A field that is set, and that the [`table`] does not list, would be silently without effect:
//! so it is an error. The walk needs no knowledge of the single messages, and treats files and
//! xDS resources alike.

mod area;
mod markdown;
mod table;

pub use markdown::markdown;

use std::collections::HashMap;
use std::sync::OnceLock;

use area::{Rule, Type};

use crate::error::{Error, Trail};
use crate::schema::{Field, Kind, Message};
use crate::view::{self, View};
use crate::wire::Raw;

/// Reports every set field of a serialised message that is not supported.
pub(crate) fn check(ty: Message, bytes: &[u8]) -> Vec<Error> {
    let mut errors = Vec::new();
    message(&Trail::ROOT, ty, bytes, &mut errors);
    errors
}

fn types() -> &'static HashMap<usize, &'static Type> {
    static TYPES: OnceLock<HashMap<usize, &'static Type>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let all = table::AREAS.iter().flat_map(|area| area.types);
        all.filter_map(|ty| Some((Message::named(ty.name)?.index(), ty)))
            .collect()
    })
}

fn message(trail: &Trail<'_>, ty: Message, bytes: &[u8], errors: &mut Vec<Error>) {
    if ty.name().starts_with("google.protobuf.") {
        return;
    }
    let view = match View::of(ty, bytes) {
        Ok(view) => view,
        Err(malformed) => return errors.push(Error::new(trail, malformed.to_string())),
    };
    for number in &view.unknown {
        errors.push(Error::new(
            trail,
            format!("{} has no field number {number}", ty.name()),
        ));
    }
    let known = types().get(&ty.index());
    for (field, raws) in &view.fields {
        let trail = &trail.field(field.name());
        match known.map_or(Rule::Unsupported, |known| known.rule(field.name())) {
            Rule::Unsupported => {
                errors.push(Error::naming_last(trail, not_supported(field.name())));
            }
            Rule::Ignored => {}
            Rule::Supported(only) => values(trail, *field, raws, only, errors),
        }
    }
}

fn values(
    trail: &Trail<'_>,
    field: Field,
    raws: &[Raw<'_>],
    only: &[&str],
    errors: &mut Vec<Error>,
) {
    match field.kind() {
        Kind::Message(ty) if field.is_map() => {
            for raw in raws {
                match view::map_entry(ty, view::bytes_of(*raw)) {
                    Ok((key, Some(value))) => {
                        if let Some(field) = ty.field(2) {
                            values(&trail.key(&key), field, &[value], only, errors);
                        }
                    }
                    Ok(_) => {}
                    Err(malformed) => errors.push(Error::new(trail, malformed.to_string())),
                }
            }
        }
        Kind::Message(ty) if field.is_repeated() => {
            for (i, raw) in raws.iter().enumerate() {
                single(&trail.index(i), ty, view::bytes_of(*raw), only, errors);
            }
        }
        Kind::Message(ty) => single(trail, ty, &view::merged(raws), only, errors),
        Kind::Enum(ty) if !only.is_empty() => {
            for raw in raws {
                let Raw::Varint(number) = raw else { continue };
                let name = ty
                    .values()
                    .find(|(_, n)| *n as u64 == *number)
                    .map(|(name, _)| name);
                if !name.is_some_and(|name| only.contains(&name)) {
                    let name = name.map_or_else(|| number.to_string(), ToOwned::to_owned);
                    errors.push(Error::new(trail, not_supported(&name)));
                }
            }
        }
        _ => {}
    }
}

fn single(trail: &Trail<'_>, ty: Message, bytes: &[u8], only: &[&str], errors: &mut Vec<Error>) {
    if ty.name() != "google.protobuf.Any" {
        return message(trail, ty, bytes, errors);
    }
    let (url, value) = match view::any(bytes) {
        Ok(parts) => parts,
        Err(malformed) => return errors.push(Error::new(trail, malformed.to_string())),
    };
    match view::any_type(url) {
        Some(ty) if only.contains(&ty.name()) => message(trail, ty, value, errors),
        // `config: {}` of a `FilterConfig` stands for the settings of the list.
        _ if bytes.is_empty() && trail.is_field("config") => {}
        _ if url.is_empty() => errors.push(Error::new(trail, "expected '@type', it is empty")),
        _ => errors.push(Error::new(trail, unsupported_type(trail, url))),
    }
}

/// The refusal of an `Any`'s type.
pub(crate) fn unsupported_type(trail: &Trail<'_>, url: &str) -> String {
    format!("{} '{url}' is not supported", trail.type_word())
}

fn not_supported(what: &str) -> String {
    format!("'{what}' is not supported")
}

#[cfg(test)]
mod tests;
