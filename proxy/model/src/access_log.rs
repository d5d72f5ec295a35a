//! Access logs: where lines go and what they say (`config.accesslog.v3`).

mod filter;

use std::sync::Arc;

pub use filter::{Comparison, Filter, Op};

use crate::format::{Format, JsonFormat};

/// One access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Where its lines go.
    pub sink: Sink,
    /// What its lines say.
    pub format: LogFormat,
    /// Which requests have a line; none: all.
    pub filter: Option<Filter>,
}

/// Where access-log lines are written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sink {
    /// Appended to a file.
    File(Arc<str>),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The shape of an access-log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of text (`text_format`, or Envoy's default); it carries its own line end.
    Text(Format),
    /// An object per line (`json_format`), keys in the order Envoy writes them (sorted).
    Json(JsonFormat),
}
