//! A configuration's text, read into a tree that knows its lines.

mod json;
mod node;
mod scalar;
mod yaml;

pub(crate) use node::{Entry, Node, Value};

use crate::error::{Error, Errors, Path, Position, Segment, Trail};

/// Deeper nesting than this is refused; protobuf's own JSON reader has the same bound.
const MAX_DEPTH: usize = 100;

/// A text and what to call it in errors.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    format: Format,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Yaml,
}

impl Source {
    /// A file's content; the format is taken from the name as Envoy does: `.yaml` and `.yml` are
    /// YAML, everything else is JSON.
    pub fn file(name: impl Into<String>, text: impl Into<String>) -> Self {
        let name = name.into();
        let lower = name.to_ascii_lowercase();
        let yaml = lower.ends_with(".yaml") || lower.ends_with(".yml");
        let format = if yaml { Format::Yaml } else { Format::Json };
        Self {
            name,
            format,
            text: text.into(),
        }
    }

    /// YAML from the command line or from the program itself.
    pub fn yaml(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            format: Format::Yaml,
            text: text.into(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn parse(&self) -> Result<Node<'_>, Errors> {
        let parsed = match self.format {
            Format::Json => json::parse(&self.text),
            Format::Yaml => yaml::parse(&self.text),
        };
        let node = parsed.map_err(|e| self.error(e.position, e.reason))?;
        match node.value {
            Value::Map(_) => Ok(node),
            _ => Err(self.error(
                node.position,
                "expected a mapping of field names".to_owned(),
            )),
        }
    }

    fn error(&self, position: Position, reason: String) -> Errors {
        Error::new(&Trail::ROOT, reason)
            .at(&self.name, position)
            .into()
    }
}

/// A text that is not YAML or JSON.
#[derive(Debug, PartialEq, Eq)]
struct SyntaxError {
    position: Position,
    reason: String,
}

/// Finds the place of a path in texts that were merged in this order.
pub(crate) fn locate<'s>(
    documents: &[(&'s Source, &Node<'_>)],
    path: &Path,
) -> Option<(&'s Source, Position)> {
    let mut found: Vec<_> = documents
        .iter()
        .map(|&(s, node)| (s, node, node.position))
        .collect();
    let mut best = None;
    for segment in &path.0 {
        found = match segment {
            Segment::Field(name) => descend(&found, |key| same_name(key, name)),
            Segment::Key(name) => descend(&found, |key| key == name),
            Segment::Index(index) => nth(&found, *index),
        };
        match found.last() {
            Some(&(source, _, position)) => best = Some((source, position)),
            None => break,
        }
    }
    best
}

type Found<'s, 'n> = (&'s Source, &'n Node<'n>, Position);

fn descend<'s, 'n>(found: &[Found<'s, 'n>], wanted: impl Fn(&str) -> bool) -> Vec<Found<'s, 'n>> {
    let entry = |node: &'n Node<'n>| match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| wanted(&entry.key)),
        _ => None,
    };
    found
        .iter()
        .filter_map(|&(s, n, _)| entry(n).map(|e| (s, &e.node, e.position)))
        .collect()
}

/// Lists of merged messages follow each other.
fn nth<'s, 'n>(found: &[Found<'s, 'n>], mut index: usize) -> Vec<Found<'s, 'n>> {
    for &(source, node, position) in found {
        match &node.value {
            Value::List(items) if index < items.len() => {
                return vec![(source, &items[index], items[index].position)];
            }
            Value::List(items) => index -= items.len(),
            _ if index == 0 => return vec![(source, node, position)],
            _ => index -= 1,
        }
    }
    Vec::new()
}

/// `connectTimeout` and `connect_timeout` are one field.
fn same_name(key: &str, name: &str) -> bool {
    let plain = |s: &'_ str| {
        s.bytes()
            .filter(|&b| b != b'_')
            .map(|b| b.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    key == name || plain(key) == plain(name)
}

#[cfg(test)]
mod tests;
