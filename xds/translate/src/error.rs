//! What is wrong with a configuration: all of it, each with its place.

use std::borrow::Cow;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub(crate) path: Path,
    /// How many segments of the path to show: an unsupported field is named in the reason, so its
    /// own segment only serves to find the line.
    pub(crate) shown: usize,
    pub(crate) place: Option<(String, Position)>,
    pub(crate) reason: String,
}

impl Error {
    /// An error at a place of the message.
    pub(crate) fn new(trail: &Trail<'_>, reason: impl Into<String>) -> Self {
        let path = trail.to_path();
        Self {
            shown: path.0.len(),
            path,
            place: None,
            reason: reason.into(),
        }
    }

    /// A reason that names the last segment of the path itself.
    pub(crate) fn naming_last(trail: &Trail<'_>, reason: impl Into<String>) -> Self {
        let mut error = Self::new(trail, reason);
        error.shown = error.shown.saturating_sub(1);
        error
    }

    pub(crate) fn at(mut self, source: &str, position: Position) -> Self {
        self.place = Some((source.to_owned(), position));
        self
    }

    /// The same error, seen from so many steps further down.
    pub(crate) fn within(mut self, steps: usize) -> Self {
        self.path.0.drain(..steps.min(self.path.0.len()));
        self.shown = self.shown.saturating_sub(steps);
        self
    }

    /// Where in the message: `static_resources.listeners[0].name`.
    pub fn path(&self) -> String {
        Path(self.path.0.get(..self.shown).unwrap_or_default().to_vec()).to_string()
    }

    /// What is wrong, and what was expected.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.reason)?;
        match &self.place {
            Some((source, Position { line, column })) => write!(f, " ({source}:{line}:{column})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Everything that is wrong, one a line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub(crate) Vec<Error>);

impl Errors {
    /// The single errors, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.0.iter()
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// A place in a text; lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A step from a message to something in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Field(Cow<'static, str>),
    Index(usize),
    Key(String),
}

/// A way from the root message to something in it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Path(pub(crate) Vec<Segment>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if i == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// A [`Path`] that is only written out if something is wrong there: a list on the stack.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Trail<'a> {
    pub(crate) const ROOT: Trail<'static> = Trail {
        parent: None,
        step: Step::Root,
    };

    pub(crate) fn field(&'a self, name: &'a str) -> Trail<'a> {
        Trail {
            parent: Some(self),
            step: Step::Field(name),
        }
    }

    pub(crate) fn index(&'a self, index: usize) -> Trail<'a> {
        Trail {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Trail<'a> {
        Trail {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    /// The trail that this one went on from.
    pub(crate) fn up(&self) -> &'a Trail<'a> {
        self.parent.unwrap_or(&Trail::ROOT)
    }

    /// Whether the last step was to a field of this name.
    pub(crate) fn is_field(&self, name: &str) -> bool {
        matches!(self.step, Step::Field(field) if field == name)
    }

    /// What to call the type of an `Any` here.
    pub(crate) fn type_word(&self) -> &'static str {
        // A filter's settings that came by themselves.
        let by_itself = matches!(
            (self.up().step, self.step),
            (Step::Root, Step::Field("typed_config"))
        );
        match by_itself || self.is_in_filters() {
            true => "filter type",
            false => "type",
        }
    }

    /// Whether this is a field of one of a list of filters.
    pub(crate) fn is_in_filters(&self) -> bool {
        matches!(
            (self.up().step, self.up().up().step),
            (Step::Index(_), Step::Field(list)) if list.ends_with("filters")
        )
    }

    pub(crate) fn to_path(self) -> Path {
        let mut segments = Vec::new();
        let mut next = Some(&self);
        while let Some(trail) = next {
            match trail.step {
                Step::Root => {}
                Step::Field(name) => segments.push(Segment::Field(Cow::Owned(name.to_owned()))),
                Step::Index(index) => segments.push(Segment::Index(index)),
                Step::Key(key) => segments.push(Segment::Key(key.to_owned())),
            }
            next = trail.parent;
        }
        segments.reverse();
        Path(segments)
    }
}
