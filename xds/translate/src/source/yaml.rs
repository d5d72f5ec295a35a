//! YAML events to a tree, with Envoy's reading of tags, anchors and scalars.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::node::{Entry, Node, Value};
use super::{MAX_DEPTH, SyntaxError, scalar};
use crate::error::Position;

/// Aliases may repeat this many nodes in all: a few lines of nested aliases can stand for billions.
const MAX_REPEATED: usize = 1_000_000;

pub(super) fn parse(text: &str) -> Result<Node<'_>, SyntaxError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        repeated: 0,
    };
    let mut document = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, position) => {
                let empty = Node {
                    position,
                    value: Value::Null,
                };
                return Ok(document.unwrap_or(empty));
            }
            (Event::DocumentStart(_), position) if document.is_some() => {
                return Err(error(position, "expected a single YAML document"));
            }
            (Event::DocumentStart(_), _) => {
                let (event, position) = reader.next()?;
                document = Some(reader.node(event, position, 0)?);
            }
            _ => {}
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node<'a>>,
    repeated: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Position), SyntaxError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, position(&span.start))),
            Some(Err(e)) => Err(scan_error(&e)),
            None => Ok((Event::StreamEnd, Position::default())),
        }
    }

    fn node(
        &mut self,
        event: Event<'a>,
        position: Position,
        depth: usize,
    ) -> Result<Node<'a>, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(error(
                position,
                format!("expected at most {MAX_DEPTH} nested levels"),
            ));
        }
        let (value, anchor) = match event {
            Event::Alias(id) => return self.alias(id, position),
            Event::Scalar(text, style, anchor, tag) => (read_scalar(text, style, tag), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            _ => return Err(error(position, "expected a value")),
        };
        let node = Node { position, value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, position: Position) -> Result<Node<'a>, SyntaxError> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(error(
                position,
                "expected an alias to an earlier, finished node",
            ));
        };
        self.repeated += count(node);
        if self.repeated > MAX_REPEATED {
            let reason = format!("expected aliases to repeat at most {MAX_REPEATED} nodes");
            return Err(error(position, reason));
        }
        Ok(node.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, SyntaxError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, position) => items.push(self.node(event, position, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, SyntaxError> {
        let mut entries: Vec<Entry<'a>> = Vec::new();
        loop {
            let (event, position) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(entries));
            }
            let ignored = is_ignored(&event);
            let key = self.key(event, position)?;
            let (event, value_position) = self.next()?;
            let node = self.node(event, value_position, depth + 1)?;
            if ignored {
                continue;
            }
            if entries.iter().any(|entry| entry.key == key) {
                return Err(error(position, format!("the key {key:?} is given twice")));
            }
            entries.push(Entry {
                key,
                position,
                node,
            });
        }
    }

    /// Keys are text, whatever their type would be as a value.
    fn key(&mut self, event: Event<'a>, position: Position) -> Result<Cow<'a, str>, SyntaxError> {
        let (text, style, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if anchor > 0 {
                    let value = read_scalar(text.clone(), style, tag.clone());
                    self.anchors.insert(anchor, Node { position, value });
                }
                (text, style, tag)
            }
            Event::Alias(id) => match self.alias(id, position)?.value {
                Value::String(text) | Value::Number(text) => return Ok(text),
                _ => return Err(error(position, "expected a scalar as key")),
            },
            _ => return Err(error(position, "expected a scalar as key")),
        };
        let null = style == ScalarStyle::Plain && tag.is_none() && scalar::is_null(&text);
        Ok(if null { "null".into() } else { text })
    }
}

/// Envoy leaves out entries whose key is tagged `!ignore`: a place to put anchors.
fn is_ignored(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(_, _, _, Some(tag)) => tag.handle == "!" && tag.suffix == "ignore",
        _ => false,
    }
}

fn read_scalar<'a>(text: Cow<'a, str>, style: ScalarStyle, tag: Option<Cow<'a, Tag>>) -> Value<'a> {
    match tag {
        // "!" says: a string
        Some(tag)
            if tag.handle.is_empty() && tag.suffix == "!"
                || tag.handle == "!" && tag.suffix.is_empty() =>
        {
            Value::String(text)
        }
        // yaml-cpp looks at the text whatever another tag says, so that `!!str no` is a boolean
        Some(_) => scalar::infer(text),
        None if style != ScalarStyle::Plain => Value::String(text),
        None if scalar::is_null(&text) => Value::Null,
        None => scalar::infer(text),
    }
}

fn count(node: &Node<'_>) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| count(&entry.node))
            .sum::<usize>(),
        _ => 0,
    }
}

fn position(marker: &Marker) -> Position {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: number(marker.line()),
        column: number(marker.col()).saturating_add(1),
    }
}

fn scan_error(e: &ScanError) -> SyntaxError {
    error(
        position(e.marker()),
        format!("this is not YAML: {}", e.info()),
    )
}

fn error(position: Position, reason: impl Into<String>) -> SyntaxError {
    SyntaxError {
        position,
        reason: reason.into(),
    }
}
