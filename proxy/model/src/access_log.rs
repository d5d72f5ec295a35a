//! Access logs: where they go and what they say (`config.accesslog.v3`).

mod filter;
mod grpc;

use std::sync::Arc;

pub use filter::{Comparison, Filter, Op};
pub use grpc::{Entries, GrpcLog, LoggedHeader, LoggedHeaders};

use crate::format::{Format, JsonFormat};

/// One access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// What is logged, and where to.
    pub output: Output,
    /// Which requests are logged; none: all.
    pub filter: Option<Filter>,
}

/// What an access log writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Lines.
    Lines {
        /// Where they go.
        sink: Sink,
        /// What they say.
        format: LogFormat,
    },
    /// Entries for a service.
    Grpc(Arc<GrpcLog>),
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
