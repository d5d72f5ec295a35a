//! Reads `%NAME(ARGUMENT):LENGTH%`.

use super::{Format, FormatError, Segment, names};

pub(super) fn parse(text: &str) -> Result<Format, FormatError> {
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        literal.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        let position = text.len() - rest.len() - 1;
        let (command, after) = split(rest).ok_or_else(|| FormatError::Syntax {
            position,
            format: text.to_owned(),
        })?;
        if !literal.is_empty() {
            segments.push(Segment::Literal(std::mem::take(&mut literal).into()));
        }
        segments.push(Segment::Operator(
            names::operator(command.name, command.argument)?,
            command.length,
        ));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        segments.push(Segment::Literal(literal.into()));
    }
    Ok(Format {
        segments,
        omit_empty: false,
    })
}

struct Command<'a> {
    name: &'a str,
    argument: Option<&'a str>,
    length: Option<usize>,
}

/// Splits what follows the first `%` into the operator and the text behind its last `%`.
fn split(text: &str) -> Option<(Command<'_>, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .filter(|end| *end > 0)?;
    let (name, rest) = text.split_at(end);
    let Some(inner) = rest.strip_prefix('(') else {
        let (length, after) = tail(rest)?;
        return Some((
            Command {
                name,
                argument: None,
                length,
            },
            after,
        ));
    };
    // An argument may itself hold `)` and `%`: it ends at the first `)` behind which the
    // operator ends too.
    inner.match_indices(')').find_map(|(at, _)| {
        let (length, after) = tail(&inner[at + 1..])?;
        Some((
            Command {
                name,
                argument: Some(&inner[..at]),
                length,
            },
            after,
        ))
    })
}

/// Reads `[:LENGTH]%`.
fn tail(text: &str) -> Option<(Option<usize>, &str)> {
    if let Some(after) = text.strip_prefix('%') {
        return Some((None, after));
    }
    let (digits, after) = text.strip_prefix(':')?.split_once('%')?;
    Some((Some(digits.parse().ok()?), after))
}
