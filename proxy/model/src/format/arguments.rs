//! What operators take between parentheses.

use std::sync::Arc;

use http::HeaderName;

use super::operator::{
    DurationSpec, DurationUnit, GrpcStatusFormat, HeaderArg, HeaderKey, Operator, PathKind,
    PathSpec, TimePoint,
};
use super::{FormatError, TimeFormat};

/// Reads an operator's argument; the first is its name, for errors.
pub(super) type Read = fn(&str, Option<&str>) -> Result<Operator, FormatError>;

pub(super) fn request_header(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    header(name, text.unwrap_or_default()).map(Operator::Req)
}

pub(super) fn response_header(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    header(name, text.unwrap_or_default()).map(Operator::Resp)
}

pub(super) fn trailer(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    header(name, text.unwrap_or_default()).map(Operator::Trailer)
}

pub(super) fn start_time(_: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    Ok(Operator::StartTime(time(text)))
}

pub(super) fn emit_time(_: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    Ok(Operator::EmitTime(time(text)))
}

pub(super) fn time(text: Option<&str>) -> Option<TimeFormat> {
    text.filter(|text| !text.is_empty()).map(TimeFormat::parse)
}

pub(super) fn grpc_status(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    Ok(Operator::GrpcStatus(match text.unwrap_or_default() {
        "" | "CAMEL_STRING" => GrpcStatusFormat::CamelString,
        "SNAKE_STRING" => GrpcStatusFormat::SnakeString,
        "NUMBER" => GrpcStatusFormat::Number,
        got => return Err(wrong(name, "CAMEL_STRING, SNAKE_STRING or NUMBER", got)),
    }))
}

pub(super) fn environment(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    let variable = given(name, "the name of a variable", text)?;
    let value = std::env::var(variable).ok();
    Ok(Operator::Environment(
        value.filter(|value| !value.is_empty()).map(Arc::from),
    ))
}

pub(super) fn query_parameter(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    let parameter = given(name, "the name of a parameter", text)?;
    Ok(Operator::QueryParameter(parameter.into()))
}

pub(super) fn query_parameters(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    match text.unwrap_or_default() {
        "" | "ORIG" => Ok(Operator::QueryParameters),
        got => Err(wrong(name, "ORIG", got)),
    }
}

pub(super) fn path(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    let text = text.unwrap_or_default();
    let (query, kind) = text.split_once(':').unwrap_or((text, ""));
    let error = || {
        wrong(
            name,
            "WQ or NQ, optionally ':' and ORIG, PATH or ORIG_OR_PATH",
            text,
        )
    };
    Ok(Operator::Path(PathSpec {
        query: match query {
            "" | "WQ" => true,
            "NQ" => false,
            _ => return Err(error()),
        },
        kind: match kind {
            "" | "ORIG_OR_PATH" => PathKind::OriginalOrPath,
            "ORIG" => PathKind::Original,
            "PATH" => PathKind::Path,
            _ => return Err(error()),
        },
    }))
}

/// Of what only other filters of Envoy's write, there is nothing.
pub(super) fn written_by_nobody(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    let expected = "a name that Envoy's own filters do not write";
    let key = given(name, expected, text)?;
    if key.starts_with("envoy.") {
        return Err(wrong(name, expected, key));
    }
    Ok(Operator::WrittenByNobody)
}

pub(super) fn common_duration(name: &str, text: Option<&str>) -> Result<Operator, FormatError> {
    let expected = "START:END:ms|us|ns, where START and END are DS_RX_BEG, DS_RX_END, US_TX_BEG, US_TX_END, US_RX_BEG, DS_TX_BEG or DS_TX_END";
    let text = text.unwrap_or_default();
    let spec = duration(text).ok_or_else(|| wrong(name, expected, text))?;
    Ok(Operator::CommonDuration(spec))
}

fn given<'a>(
    name: &str,
    expected: &'static str,
    text: Option<&'a str>,
) -> Result<&'a str, FormatError> {
    let text = text.filter(|text| !text.is_empty());
    text.ok_or_else(|| wrong(name, expected, ""))
}

fn header(operator: &str, text: &str) -> Result<HeaderArg, FormatError> {
    let error = || wrong(operator, "a header name, optionally '?' and another", text);
    let (main, alternative) = match text.split_once('?') {
        Some((_, alternative)) if alternative.contains('?') => return Err(error()),
        Some((main, alternative)) => (main, Some(alternative)),
        None => (text, None),
    };
    Ok(HeaderArg {
        main: key(main).ok_or_else(error)?,
        alternative: match alternative.filter(|name| !name.is_empty()) {
            Some(name) => Some(key(name).ok_or_else(error)?),
            None => None,
        },
    })
}

fn key(name: &str) -> Option<HeaderKey> {
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        ":method" => HeaderKey::Method,
        ":path" => HeaderKey::Path,
        // HTTP/1's `Host` is the authority, as it is for Envoy's codec.
        ":authority" | "host" => HeaderKey::Authority,
        ":scheme" => HeaderKey::Scheme,
        ":status" => HeaderKey::Status,
        name => HeaderKey::Name(HeaderName::from_bytes(name.as_bytes()).ok()?),
    })
}

fn duration(text: &str) -> Option<DurationSpec> {
    let point = |name| {
        Some(match name {
            "DS_RX_BEG" => TimePoint::RequestStart,
            "DS_RX_END" => TimePoint::RequestEnd,
            "US_TX_BEG" => TimePoint::UpstreamStart,
            "US_TX_END" => TimePoint::UpstreamEnd,
            "DS_TX_BEG" => TimePoint::ResponseBegun,
            "US_RX_BEG" => TimePoint::ResponseStart,
            "DS_TX_END" => TimePoint::ResponseEnd,
            _ => return None,
        })
    };
    let mut parts = text.split(':');
    let spec = DurationSpec {
        from: point(parts.next()?)?,
        to: point(parts.next()?)?,
        unit: match parts.next()? {
            "ms" => DurationUnit::Milliseconds,
            "us" => DurationUnit::Microseconds,
            "ns" => DurationUnit::Nanoseconds,
            _ => return None,
        },
    };
    parts.next().is_none().then_some(spec)
}

pub(super) fn wrong(operator: &str, expected: &'static str, got: &str) -> FormatError {
    FormatError::Argument {
        operator: operator.to_owned(),
        expected,
        got: got.to_owned(),
    }
}
