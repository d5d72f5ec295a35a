//! Field masks over written messages, as `/config_dump?mask=` takes them.

use serde_json::{Map, Value};

use crate::schema::{Field, Kind, Message};
use crate::view;

/// Keeps of a message that is written as JSON what the paths name, as Envoy's `?mask=` does. A
/// path leads through single messages and through `Any`, not through lists and maps.
///
/// False if one of the paths leads nowhere in a message of this type; it is unchanged then.
pub fn trim(type_name: &str, message: &mut Value, paths: &[&str]) -> bool {
    let Some(ty) = Message::named(type_name) else {
        return false;
    };
    let paths: Vec<Vec<&str>> = paths.iter().map(|path| path.split('.').collect()).collect();
    if !paths.iter().all(|path| leads(ty, message, path)) {
        return false;
    }
    let mut kept = Map::new();
    for path in &paths {
        keep(message, path, &mut kept);
    }
    *message = kept.into();
    true
}

/// Whether a path leads to a field of this type; of an `Any` the value tells the type.
fn leads(ty: Message, value: &Value, path: &[&str]) -> bool {
    let ty = match value["@type"].as_str() {
        Some(url) if ty.name() == "google.protobuf.Any" => view::any_type(url),
        _ if ty.name() == "google.protobuf.Any" => return true,
        _ => Some(ty),
    };
    let [name, rest @ ..] = path else { return true };
    let field = ty.and_then(|ty| ty.fields().find(|field| field.name() == *name));
    match field {
        Some(_) if rest.is_empty() => true,
        Some(field) => single(field).is_some_and(|ty| leads(ty, &value[*name], rest)),
        None => false,
    }
}

fn single(field: Field) -> Option<Message> {
    match field.kind() {
        Kind::Message(ty) if !field.is_repeated() => Some(ty),
        _ => None,
    }
}

fn keep(from: &Value, path: &[&str], to: &mut Map<String, Value>) {
    // what an `Any` holds has no meaning without its type
    if let Some(url) = from.get("@type") {
        to.insert("@type".to_owned(), url.clone());
    }
    let [name, rest @ ..] = path else { return };
    let Some(value) = from.get(*name) else { return };
    if rest.is_empty() {
        to.insert((*name).to_owned(), value.clone());
    } else {
        let below = to.entry(*name).or_insert_with(|| Map::new().into());
        if let Value::Object(below) = below {
            keep(value, rest, below);
        }
    }
}
