//! A tree of names and values to protobuf's wire format, by proto3's JSON mapping.
//!
//! Where Envoy's reader is more lenient than the mapping, so is this one: enum names in any case,
//! `"true"` for a boolean, a single value for a list of one, `{seconds: 1}` for a duration. All
//! errors are collected: a value that is wrong is left out and the reading goes on.

mod message;
mod scalar;
mod wellknown;

use crate::error::{Error, Position, Trail};
use crate::schema::Message;
use crate::source::{Node, Source};

/// Writes `node` as a message of type `ty`.
pub(crate) fn transcode(source: &Source, node: &Node<'_>, ty: Message) -> (Vec<u8>, Vec<Error>) {
    write(source, node, ty, false)
}

/// So where each part is judged by itself later: messages of unknown types are left to that, since
/// not all of them are used. They are written empty.
pub(crate) fn transcode_for_later(
    source: &Source,
    node: &Node<'_>,
    ty: Message,
) -> (Vec<u8>, Vec<Error>) {
    write(source, node, ty, true)
}

fn write(
    source: &Source,
    node: &Node<'_>,
    ty: Message,
    unknown_types: bool,
) -> (Vec<u8>, Vec<Error>) {
    let mut transcoder = Transcoder {
        source,
        unknown_types,
        errors: Vec::new(),
    };
    let mut out = Vec::new();
    transcoder.message(&Trail::ROOT, ty, node, &mut out);
    (out, transcoder.errors)
}

struct Transcoder<'s> {
    source: &'s Source,
    /// Whether types that the schema does not have may stand here.
    unknown_types: bool,
    errors: Vec<Error>,
}

impl Transcoder<'_> {
    fn fail(&mut self, trail: &Trail<'_>, position: Position, reason: impl Into<String>) {
        self.errors
            .push(Error::new(trail, reason).at(self.source.name(), position));
    }

    fn expected(&mut self, trail: &Trail<'_>, node: &Node<'_>, what: &str) {
        let reason = format!("expected {what}, got {}", node.value.describe());
        self.fail(trail, node.position, reason);
    }
}

#[cfg(test)]
mod tests;
