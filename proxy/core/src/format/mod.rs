//! Evaluating `%…%` operators: access-log lines and header values.

mod json;
mod operator;
mod size;
mod status;
mod target;
mod time;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};
use tandem_model::format::{Format, JsonFormat, Operator, Segment};

use crate::ext::StreamInfo;

pub use time::write as write_time;

/// What operators can see.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The request's record.
    pub info: &'a StreamInfo,
    /// The request itself, while it is there; afterwards what was captured of it counts.
    pub request: Option<LiveRequest<'a>>,
    /// The response's status and headers; `None`: there is no response (yet).
    pub response: Option<(StatusCode, &'a HeaderMap)>,
    /// The response's trailers.
    pub trailers: Option<&'a HeaderMap>,
    /// Start to end, once everything is over.
    pub duration: Option<Duration>,
}

impl<'a> Context<'a> {
    /// Of a request that has not been sent away yet.
    pub fn before<B>(info: &'a StreamInfo, request: &'a http::Request<B>) -> Self {
        Self {
            info,
            request: Some(LiveRequest::of(request)),
            response: None,
            trailers: None,
            duration: None,
        }
    }
}

/// A request that has not been sent away yet.
#[derive(Clone, Copy, Debug)]
pub struct LiveRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its URI.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

impl<'a> LiveRequest<'a> {
    /// The parts of a request that operators look at.
    pub fn of<B>(request: &'a http::Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
        }
    }
}

/// Appends a format's text, with a dash for what is missing.
pub fn write(format: &Format, context: &Context<'_>, out: &mut Vec<u8>) {
    write_or(format, context, b"-", out);
}

/// Appends a format's text, with `missing` for what is missing.
pub fn write_or(format: &Format, context: &Context<'_>, missing: &[u8], out: &mut Vec<u8>) {
    for segment in &format.segments {
        match segment {
            Segment::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Segment::Operator(operator, limit) => {
                let start = out.len();
                if operator::write(operator, context, out).is_none() {
                    out.truncate(start);
                    if !format.omit_empty {
                        out.extend_from_slice(missing);
                    }
                }
                if let Some(limit) = limit {
                    out.truncate(out.len().min(start + limit));
                }
            }
        }
    }
}

/// A format's text.
pub fn text(format: &Format, context: &Context<'_>) -> String {
    let mut out = Vec::new();
    write(format, context, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends the value of one operator; whether it has one.
pub fn append(operator: &Operator, context: &Context<'_>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let has_one = operator::write(operator, context, out).is_some();
    if !has_one {
        out.truncate(start);
    }
    has_one
}

/// Appends a JSON line, with its line end.
pub fn write_json(format: &JsonFormat, context: &Context<'_>, out: &mut Vec<u8>) {
    json::write(format, context, out);
    out.push(b'\n');
}
