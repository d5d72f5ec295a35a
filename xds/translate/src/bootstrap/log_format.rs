//! What the process's own log lines look like.

use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::bootstrap::v3::bootstrap::ApplicationLogConfig;
use envoy_types::pb::envoy::config::bootstrap::v3::bootstrap::application_log_config::log_format::LogFormat as Proto;
use envoy_types::pb::google::protobuf::Value;
use envoy_types::pb::google::protobuf::value::Kind;
use tandem_model::log_pattern::{JsonPart, LogFormat, LogPattern};

use crate::cx::Cx;

pub(super) fn format(cx: &Cx<'_>, proto: Option<&ApplicationLogConfig>) -> Option<LogFormat> {
    let cx = &cx.field("application_log_config");
    let cx = &cx.field("log_format");
    match proto?.log_format.as_ref()?.log_format.as_ref()? {
        Proto::TextFormat(pattern) => cx
            .field("text_format")
            .ok(LogPattern::parse(pattern))
            .map(LogFormat::Text),
        Proto::JsonFormat(fields) => Some(LogFormat::Json(object(
            &cx.field("json_format"),
            &fields.fields,
        ))),
    }
}

/// Names come sorted: the message they are in does not keep an order.
fn object(cx: &Cx<'_>, fields: &HashMap<String, Value>) -> Vec<(Arc<str>, JsonPart)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    let part = |(name, value): (&String, &Value)| {
        let part = part(&cx.field(name), value)?;
        Some((name.as_str().into(), part))
    };
    fields.into_iter().filter_map(part).collect()
}

fn part(cx: &Cx<'_>, value: &Value) -> Option<JsonPart> {
    Some(match value.kind.as_ref()? {
        Kind::NullValue(_) => JsonPart::Literal("null".into()),
        Kind::BoolValue(value) => JsonPart::Literal(value.to_string().into()),
        Kind::NumberValue(value) => JsonPart::Literal(value.to_string().into()),
        Kind::StringValue(text) => {
            let pattern = cx.ok(LogPattern::parse(text))?;
            if pattern.has_plain_message() {
                cx.error("expected %j, since %v, %+ and %_ are not escaped for JSON");
                return None;
            }
            JsonPart::Text(pattern)
        }
        Kind::StructValue(fields) => JsonPart::Object(object(cx, &fields.fields)),
        Kind::ListValue(list) => {
            let values = list.values.iter().enumerate();
            JsonPart::List(
                values
                    .filter_map(|(i, value)| part(&cx.index(i), value))
                    .collect(),
            )
        }
    })
}
