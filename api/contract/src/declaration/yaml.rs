//! YAML as a tree that remembers its lines.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::fault::{Fault, Place};

/// A node and the line where it starts.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) shape: Shape,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// An empty value: `key:`, `~` or `null`.
    Null,
    /// Any other scalar, as text.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Nothing that people write is nested deeper; input that is must not exhaust the stack.
const DEPTH: usize = 32;

/// All documents of a file; empty ones are left out.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<Node>, Fault> {
    let mut reader = Reader {
        file,
        events: Parser::new_from_str(text),
        anchors: Vec::new(),
    };
    let mut documents = Vec::new();
    while let Some((event, line)) = reader.next()? {
        if let Event::DocumentStart(_) = event {
            let node = reader.node(DEPTH)?;
            if !matches!(node.shape, Shape::Null) {
                documents.push(node);
            }
        } else if let Event::StreamEnd = event {
            break;
        } else {
            let _ = line;
        }
    }
    Ok(documents)
}

struct Reader<'a, I: saphyr_parser::Input> {
    file: &'a str,
    events: Parser<'a, I>,
    anchors: Vec<(usize, Node)>,
}

impl<'a, I: saphyr_parser::Input> Reader<'a, I> {
    fn next(&mut self) -> Result<Option<(Event<'a>, usize)>, Fault> {
        match self.events.next() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, span.start.line()))),
            Some(Err(error)) => {
                let place = Place::new(self.file, error.marker().line());
                Err(place.fault(format!("not YAML: {}", error.info())))
            }
        }
    }

    fn expect(&mut self) -> Result<(Event<'a>, usize), Fault> {
        let end = Place::new(self.file, 0);
        self.next()?
            .ok_or_else(|| end.fault("the document ends in the middle"))
    }

    fn node(&mut self, depth: usize) -> Result<Node, Fault> {
        let (event, line) = self.expect()?;
        self.node_of(event, line, depth)
    }

    fn node_of(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, Fault> {
        let place = Place::new(self.file, line);
        if depth == 0 {
            return Err(place.fault(format!("nested deeper than {DEPTH} levels")));
        }
        let (shape, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (
                    if null {
                        Shape::Null
                    } else {
                        Shape::Scalar(text.into_owned())
                    },
                    anchor,
                )
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.expect()? {
                        (Event::SequenceEnd, _) => break,
                        (event, line) => items.push(self.node_of(event, line, depth - 1)?),
                    }
                }
                (Shape::List(items), anchor)
            }
            Event::MappingStart(anchor, _) => (Shape::Map(self.map(depth - 1)?), anchor),
            Event::Alias(id) => {
                let known = self.anchors.iter().find(|(known, _)| *known == id);
                return match known {
                    Some((_, node)) => Ok(node.clone()),
                    None => Err(place.fault("alias of an anchor that is not complete yet")),
                };
            }
            other => return Err(place.fault(format!("unexpected {other:?}"))),
        };
        let node = Node { line, shape };
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(String, Node)>, Fault> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, line) = self.expect()?;
            let place = Place::new(self.file, line);
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(place.fault("expected a plain name before the colon")),
            };
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(place.fault(format!("'{key}' is there twice")));
            }
            let mut value = self.node(depth)?;
            // Faults about a field are looked for at its name.
            if matches!(value.shape, Shape::Null | Shape::Scalar(_)) {
                value.line = line;
            }
            entries.push((key, value));
        }
    }
}
