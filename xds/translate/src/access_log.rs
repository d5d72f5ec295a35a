//! Access logs.

mod filter;
mod grpc;

use std::sync::Arc;

use envoy_types::pb::envoy::config::accesslog::v3::{AccessLog as Proto, access_log::ConfigType};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::{
    FileAccessLog, file_access_log::AccessLogFormat as FileFormat,
};
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StderrAccessLog, StdoutAccessLog, stderr_access_log, stdout_access_log,
};
use envoy_types::pb::google::protobuf::{self, value::Kind};
use tandem_model::access_log::{AccessLog, LogFormat, Output, Sink};
use tandem_model::format::{Format, JsonFormat, JsonSource};

use crate::cx::Cx;
use crate::value;

pub(crate) fn access_logs(cx: &Cx<'_>, protos: &[Proto]) -> Vec<Arc<AccessLog>> {
    cx.each("access_log", protos, |cx, proto| {
        access_log(cx, proto).map(Arc::new)
    })
}

fn access_log(cx: &Cx<'_>, proto: &Proto) -> Option<AccessLog> {
    let Some(ConfigType::TypedConfig(any)) = &proto.config_type else {
        cx.error("expected a typed_config");
        return None;
    };
    let filter = match &proto.filter {
        Some(proto) => Some(filter::filter(&cx.field("filter"), proto)?),
        None => None,
    };
    let cx = &cx.field("typed_config");
    let (sink, format) = match value::type_name(any) {
        "envoy.extensions.access_loggers.file.v3.FileAccessLog" => {
            let file: FileAccessLog = value::unpack(cx, any)?;
            (
                sink(&file.path),
                file_format(cx, file.access_log_format.as_ref()),
            )
        }
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog" => {
            let proto: StdoutAccessLog = value::unpack(cx, any)?;
            let format = proto
                .access_log_format
                .map(|stdout_access_log::AccessLogFormat::LogFormat(f)| f);
            (Sink::Stdout, log_format(cx, format.as_ref()))
        }
        "envoy.extensions.access_loggers.stream.v3.StderrAccessLog" => {
            let proto: StderrAccessLog = value::unpack(cx, any)?;
            let format = proto
                .access_log_format
                .map(|stderr_access_log::AccessLogFormat::LogFormat(f)| f);
            (Sink::Stderr, log_format(cx, format.as_ref()))
        }
        "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig" => {
            let output = Output::Grpc(Arc::new(grpc::http(cx, any)?));
            return Some(AccessLog { output, filter });
        }
        "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig" => {
            let output = Output::Grpc(Arc::new(grpc::tcp(cx, any)?));
            return Some(AccessLog { output, filter });
        }
        other => {
            cx.error(format!("type '{other}' is not supported"));
            return None;
        }
    };
    let output = Output::Lines {
        sink,
        format: format?,
    };
    Some(AccessLog { output, filter })
}

/// The two devices are what the process has open already, even where the path cannot be opened.
fn sink(path: &str) -> Sink {
    match path {
        "/dev/stdout" => Sink::Stdout,
        "/dev/stderr" => Sink::Stderr,
        path => Sink::File(path.into()),
    }
}

#[allow(deprecated, reason = "Envoy still takes the older forms")]
fn file_format(cx: &Cx<'_>, proto: Option<&FileFormat>) -> Option<LogFormat> {
    match proto {
        None => Some(LogFormat::Text(Format::default_log())),
        Some(FileFormat::Format(text)) if text.is_empty() => {
            Some(LogFormat::Text(Format::default_log()))
        }
        Some(FileFormat::Format(text)) => text_format(&cx.field("format"), text, false),
        Some(FileFormat::JsonFormat(proto)) => json_format(&cx.field("json_format"), proto, false),
        Some(FileFormat::TypedJsonFormat(proto)) => {
            json_format(&cx.field("typed_json_format"), proto, false)
        }
        Some(FileFormat::LogFormat(proto)) => log_format(cx, Some(proto)),
    }
}

#[allow(deprecated, reason = "`text_format` is what everybody writes")]
fn log_format(cx: &Cx<'_>, proto: Option<&core::SubstitutionFormatString>) -> Option<LogFormat> {
    use core::substitution_format_string::Format as Proto;
    let cx = &cx.field("log_format");
    let omit = proto.is_some_and(|proto| proto.omit_empty_values);
    match proto.and_then(|proto| proto.format.as_ref()) {
        None => Some(LogFormat::Text(Format::default_log())),
        Some(Proto::TextFormat(text)) => text_format(&cx.field("text_format"), text, omit),
        Some(Proto::JsonFormat(proto)) => json_format(&cx.field("json_format"), proto, omit),
        Some(Proto::TextFormatSource(source)) => {
            let cx = &cx.field("text_format_source");
            let data = value::data(cx, source)?;
            text_format(cx, cx.ok(std::str::from_utf8(&data))?, omit)
        }
    }
}

fn text_format(cx: &Cx<'_>, text: &str, omit_empty: bool) -> Option<LogFormat> {
    let format = cx.ok(Format::parse(text))?;
    Some(LogFormat::Text(Format {
        omit_empty,
        ..format
    }))
}

fn json_format(cx: &Cx<'_>, proto: &protobuf::Struct, omit_empty: bool) -> Option<LogFormat> {
    cx.ok(JsonFormat::parse(&members(proto), omit_empty))
        .map(LogFormat::Json)
}

fn members(proto: &protobuf::Struct) -> Vec<(String, JsonSource)> {
    proto
        .fields
        .iter()
        .map(|(key, value)| (key.clone(), json(value)))
        .collect()
}

fn json(proto: &protobuf::Value) -> JsonSource {
    match &proto.kind {
        None | Some(Kind::NullValue(_)) => JsonSource::Null,
        Some(Kind::BoolValue(value)) => JsonSource::Bool(*value),
        Some(Kind::NumberValue(value)) => JsonSource::Number(*value),
        Some(Kind::StringValue(text)) => JsonSource::String(text.clone()),
        Some(Kind::ListValue(list)) => JsonSource::Array(list.values.iter().map(json).collect()),
        Some(Kind::StructValue(object)) => JsonSource::Object(members(object)),
    }
}
