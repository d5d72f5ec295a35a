//! What Tandem understands of Envoy's configuration, and the refusal of everything else.
//!
//! A field that is set, and that the [`table`] does not list, would be silently without effect:
//! so it is an error. The walk needs no knowledge of the single messages, and treats files and
//! xDS resources alike.

mod area;
mod first;
mod markdown;
mod table;

pub(crate) use first::POLICIES;
pub use markdown::markdown;

use std::collections::HashMap;
use std::sync::OnceLock;

pub(crate) use area::Rule;
use area::Type;

use crate::error::{Error, Trail};
use crate::schema::{Field, Kind, Message};
use crate::view::{self, View};
use crate::wire::{self, Raw};

/// Reports every set field of a serialised message that is not supported.
pub(crate) fn check(ty: Message, bytes: &[u8]) -> Vec<Error> {
    let mut errors = Vec::new();
    message(&Trail::ROOT, ty, bytes, &mut errors);
    errors
}

/// So for a filter's settings that come by themselves: what may stand in `default_config` may
/// come.
pub(crate) fn check_extension(ty: Message, bytes: &[u8]) -> Vec<Error> {
    let mut errors = Vec::new();
    let view = match View::of(ty, bytes) {
        Ok(view) => view,
        Err(malformed) => return vec![Error::new(&Trail::ROOT, malformed.to_string())],
    };
    let only = Message::named(DISCOVERY).and_then(|ty| types().get(&ty.index()));
    let rule = only.map_or(Rule::Unsupported, |ty| ty.rule("default_config"));
    for (field, raws) in &view.fields {
        if let (Rule::Supported(only), "typed_config") = (&rule, field.name()) {
            values(
                &Trail::ROOT.field("typed_config"),
                *field,
                raws,
                &view,
                only,
                &mut errors,
            );
        }
    }
    errors
}

/// Where a filter says that its settings come by themselves.
const DISCOVERY: &str = "envoy.config.core.v3.ExtensionConfigSource";

/// Whether the type of a filter's settings is one that is supported.
pub(crate) fn takes(ty: &str, field: &str, value: &str) -> bool {
    let known = Message::named(ty).and_then(|ty| types().get(&ty.index()));
    match known.map(|known| known.rule(field)) {
        Some(Rule::Supported(only)) => only.contains(&value),
        Some(Rule::Ignored | Rule::Unsupported) | None => false,
    }
}

/// What the table says of a field.
pub(crate) fn rule(ty: Message, field: Field) -> Rule {
    let known = types().get(&ty.index());
    known.map_or(Rule::Unsupported, |known| known.rule(field.name()))
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
    let optional = is_optional(ty, &view);
    for (field, raws) in &view.fields {
        if optional && is_of_unknown_type(*field, raws, known) {
            continue;
        }
        let trail = &trail.field(field.name());
        match rule(ty, *field) {
            Rule::Unsupported => {
                errors.push(Error::naming_last(trail, not_supported(field.name())));
            }
            Rule::Ignored => {}
            Rule::Supported(only) => values(trail, *field, raws, &view, only, errors),
        }
    }
}

/// Whether a filter, or what a route says of one, may be skipped by those who do not know it.
fn is_optional(ty: Message, view: &View<'_>) -> bool {
    let field = ty
        .field_named("is_optional")
        .filter(|_| matches!(ty.name(), FILTER | ROUTE_FILTER));
    field.is_some_and(|field| view.get(field).is_some())
}

/// Whether this is a filter's settings, of a type that is not supported.
fn is_of_unknown_type(field: Field, raws: &[Raw<'_>], known: Option<&&Type>) -> bool {
    let Kind::Message(ty) = field.kind() else {
        return false;
    };
    let Some(Rule::Supported(only)) = known.map(|known| known.rule(field.name())) else {
        return false;
    };
    let bytes = view::merged(raws);
    ty.name() == "google.protobuf.Any"
        && view::any(&bytes).is_ok_and(|(url, _)| {
            let name = url.rsplit('/').next().unwrap_or(url);
            !url.is_empty() && !only.contains(&name)
        })
}

const FILTER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter";
const ROUTE_FILTER: &str = "envoy.config.route.v3.FilterConfig";

fn values(
    trail: &Trail<'_>,
    field: Field,
    raws: &[Raw<'_>],
    owner: &View<'_>,
    only: &[&str],
    errors: &mut Vec<Error>,
) {
    match field.kind() {
        Kind::Message(ty) if field.is_map() => {
            for raw in raws {
                match view::map_entry(ty, view::bytes_of(*raw)) {
                    Ok((key, Some(value))) => {
                        if let Some(field) = ty.field(2) {
                            values(&trail.key(&key), field, &[value], owner, only, errors);
                        }
                    }
                    Ok(_) => {}
                    Err(malformed) => errors.push(Error::new(trail, malformed.to_string())),
                }
            }
        }
        Kind::Message(ty) if field.is_repeated() => {
            let counts = first::counting(ty, raws);
            for (i, raw) in raws.iter().enumerate().filter(|(i, _)| counts.contains(i)) {
                let bytes = view::bytes_of(*raw);
                single(&trail.index(i), ty, bytes, owner, only, errors);
            }
        }
        Kind::Message(ty) => single(trail, ty, &view::merged(raws), owner, only, errors),
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

fn single(
    trail: &Trail<'_>,
    ty: Message,
    bytes: &[u8],
    owner: &View<'_>,
    only: &[&str],
    errors: &mut Vec<Error>,
) {
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
        _ => {
            let (name, url) = (owner.text("name"), meant(url, value));
            errors.push(Error::new(trail, unsupported_type(trail, name, url)));
        }
    }
}

/// The type that is meant: of a `TypedStruct` that of what it carries, for those who have no
/// message of it.
fn meant<'a>(url: &'a str, value: &'a [u8]) -> &'a str {
    let name = url.rsplit('/').next().unwrap_or(url);
    let carried = match name {
        "udpa.type.v1.TypedStruct" | "xds.type.v3.TypedStruct" => wire::fields(value)
            .filter_map(Result::ok)
            .find_map(|(number, raw)| (number == 1).then(|| view::bytes_of(raw))),
        _ => None,
    };
    let carried = carried.and_then(|bytes| std::str::from_utf8(bytes).ok());
    carried.filter(|url| !url.is_empty()).unwrap_or(url)
}

/// The refusal of an `Any`'s type; a filter of a list is known by its name, if it has one.
pub(crate) fn unsupported_type(trail: &Trail<'_>, name: &str, url: &str) -> String {
    match trail.is_in_filters() && !name.is_empty() {
        true => format!("filter '{name}' of type '{url}' is not supported"),
        false => format!("{} '{url}' is not supported", trail.type_word()),
    }
}

fn not_supported(what: &str) -> String {
    format!("'{what}' is not supported")
}

#[cfg(test)]
mod tests;
