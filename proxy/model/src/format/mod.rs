//! Parsed substitution formats: the `%…%` operators of access logs and header values.

mod arguments;
mod json;
mod names;
mod operator;
mod parse;
#[cfg(test)]
mod tests;
mod time;
mod tls;

pub use json::{JsonFormat, JsonSource, JsonValue};
pub use names::{Accepted, accepted};
pub use operator::{
    DurationSpec, DurationUnit, GrpcStatusFormat, HeaderArg, HeaderKey, Operator, PathKind,
    PathSpec, TimePoint,
};
pub use time::{TimeFormat, TimePiece};
pub use tls::{TlsFact, TlsSide};

use std::sync::Arc;

/// A text with operators in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Literal pieces and operators, in order.
    pub segments: Vec<Segment>,
    /// Write nothing instead of `-` where an operator has no value (`omit_empty_values`).
    pub omit_empty: bool,
}

/// A piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Text as it is.
    Literal(Arc<str>),
    /// A value, cut to a length if one is given (`:Z`).
    Operator(Operator, Option<usize>),
}

/// Why a format cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A `%` that begins no operator.
    #[error("no operator begins at position {position} of format '{format}'")]
    Syntax {
        /// Where.
        position: usize,
        /// The whole format.
        format: String,
    },
    /// An operator that does not exist, or is not supported yet.
    #[error("operator '%{0}%' is not supported")]
    Unknown(String),
    /// An operator that needs another argument.
    #[error("operator '%{operator}%': expected {expected}, got '{got}'")]
    Argument {
        /// Its name.
        operator: String,
        /// What it takes.
        expected: &'static str,
        /// What it got.
        got: String,
    },
}

impl Format {
    /// Envoy's default access-log line.
    pub const DEFAULT_LOG: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

    /// Parses a format; `%%` is a percent sign.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        parse::parse(text)
    }

    /// The format of an access log without one.
    pub fn default_log() -> Self {
        // The constant is parsed by a test; an empty format is a log nobody could miss.
        Self::parse(Self::DEFAULT_LOG).unwrap_or_default()
    }

    /// The text, if there is no operator in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [] => Some(""),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it asks for a moment or a size that is noted only where it is wanted.
    pub fn measures(&self) -> bool {
        use TimePoint as P;
        let is_rare = |point| matches!(point, P::UpstreamStart | P::UpstreamEnd | P::ResponseBegun);
        self.operators().any(|operator| match operator {
            Operator::RequestHeadersBytes
            | Operator::ResponseHeadersBytes
            | Operator::RequestTxDuration => true,
            Operator::CommonDuration(spec) => is_rare(spec.from) || is_rare(spec.to),
            _ => false,
        })
    }

    /// Every operator in it.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Operator(operator, _) => Some(operator),
            Segment::Literal(_) => None,
        })
    }
}
