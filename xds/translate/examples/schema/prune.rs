//! Keeps what can be reached from the roots.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use crate::descriptor::{Descriptor, EnumDescriptor, FileSet};

/// Messages and enums by full name, sorted, so that the table can be searched.
pub(crate) struct Pruned<'a> {
    pub(crate) messages: BTreeMap<String, (&'a Descriptor, Syntax)>,
    pub(crate) enums: BTreeMap<String, &'a EnumDescriptor>,
}

/// Decides whether repeated numbers are packed and scalars have presence.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Syntax {
    Proto2,
    Proto3,
}

pub(crate) fn reachable<'a>(set: &'a FileSet, roots: &[&str]) -> Result<Pruned<'a>, String> {
    let mut messages = HashMap::new();
    let mut enums = HashMap::new();
    for file in &set.file {
        let syntax = if file.syntax == "proto3" {
            Syntax::Proto3
        } else {
            Syntax::Proto2
        };
        let scope = if file.package.is_empty() {
            String::new()
        } else {
            format!(".{}", file.package)
        };
        for e in &file.enumeration {
            enums.insert(format!("{scope}.{}", e.name), e);
        }
        for m in &file.message {
            index(&scope, m, syntax, &mut messages, &mut enums);
        }
    }
    let mut kept = Pruned {
        messages: BTreeMap::new(),
        enums: BTreeMap::new(),
    };
    let mut todo: Vec<String> = roots.iter().map(|name| format!(".{name}")).collect();
    while let Some(name) = todo.pop() {
        let short = name[1..].to_owned();
        if let Some(e) = enums.get(&name) {
            kept.enums.insert(name[1..].to_owned(), e);
        } else if let Entry::Vacant(slot) = kept.messages.entry(short) {
            let &(message, syntax) = messages.get(&name).ok_or(format!("no message {name}"))?;
            slot.insert((message, syntax));
            todo.extend(
                message
                    .field
                    .iter()
                    .map(|f| f.type_name.clone())
                    .filter(|t| !t.is_empty()),
            );
        }
    }
    Ok(kept)
}

fn index<'a>(
    scope: &str,
    message: &'a Descriptor,
    syntax: Syntax,
    messages: &mut HashMap<String, (&'a Descriptor, Syntax)>,
    enums: &mut HashMap<String, &'a EnumDescriptor>,
) {
    let name = format!("{scope}.{}", message.name);
    for e in &message.enumeration {
        enums.insert(format!("{name}.{}", e.name), e);
    }
    for nested in &message.nested {
        index(&name, nested, syntax, messages, enums);
    }
    messages.insert(name, (message, syntax));
}

/// For a reader who wonders what the table holds.
pub(crate) fn print(pruned: &Pruned<'_>) {
    for (name, (message, _)) in &pruned.messages {
        println!("{name}");
        for field in &message.field {
            let deprecated = field.options.as_ref().is_some_and(|o| o.deprecated);
            let note = if deprecated { " (deprecated)" } else { "" };
            println!(
                "  {} = {} {}{note}",
                field.name, field.number, field.type_name
            );
        }
    }
}
