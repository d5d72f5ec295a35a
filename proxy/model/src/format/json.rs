//! JSON access-log lines.

use std::sync::Arc;

use super::{Format, FormatError};

/// A JSON access-log line: values in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFormat {
    /// The tree.
    pub root: Vec<(Arc<str>, JsonValue)>,
    /// Leave keys without a value out instead of `null`.
    pub omit_empty: bool,
}

/// A value of a JSON access-log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonValue {
    /// A format; a lone operator keeps its type (number, `null`), others are strings.
    Format(Format),
    /// An object.
    Object(Vec<(Arc<str>, JsonValue)>),
    /// An array.
    Array(Vec<JsonValue>),
    /// A literal that is not a string: rendered JSON.
    Literal(Arc<str>),
    /// `null`; left out like any other missing value.
    Null,
}

/// What a [`JsonFormat`] is made from, whatever syntax it was written in.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonSource {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text, with operators in it.
    String(String),
    /// A list.
    Array(Vec<JsonSource>),
    /// An object.
    Object(Vec<(String, JsonSource)>),
}

impl JsonFormat {
    /// Parses every string of an object; keys are sorted as Envoy sorts them.
    pub fn parse(root: &[(String, JsonSource)], omit_empty: bool) -> Result<Self, FormatError> {
        Ok(Self {
            root: object(root, omit_empty)?,
            omit_empty,
        })
    }

    /// Every format in it.
    pub fn formats(&self) -> Vec<&Format> {
        let mut out = Vec::new();
        for (_, value) in &self.root {
            value.formats(&mut out);
        }
        out
    }
}

impl JsonValue {
    fn formats<'a>(&'a self, out: &mut Vec<&'a Format>) {
        match self {
            Self::Format(format) => out.push(format),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.formats(out)),
            Self::Array(items) => items.iter().for_each(|value| value.formats(out)),
            Self::Literal(_) | Self::Null => {}
        }
    }
}

fn object(
    members: &[(String, JsonSource)],
    omit_empty: bool,
) -> Result<Vec<(Arc<str>, JsonValue)>, FormatError> {
    let mut out = members
        .iter()
        .map(|(key, source)| Ok((Arc::from(key.as_str()), value(source, omit_empty)?)))
        .collect::<Result<Vec<(Arc<str>, JsonValue)>, FormatError>>()?;
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

fn value(source: &JsonSource, omit_empty: bool) -> Result<JsonValue, FormatError> {
    Ok(match source {
        JsonSource::Null => JsonValue::Null,
        JsonSource::Bool(flag) => JsonValue::Literal(flag.to_string().into()),
        JsonSource::Number(number) => JsonValue::Literal(number.to_string().into()),
        JsonSource::String(text) => JsonValue::Format(Format {
            omit_empty,
            ..Format::parse(text)?
        }),
        JsonSource::Array(items) => JsonValue::Array(
            items
                .iter()
                .map(|item| value(item, omit_empty))
                .collect::<Result<_, _>>()?,
        ),
        JsonSource::Object(members) => JsonValue::Object(object(members, omit_empty)?),
    })
}
