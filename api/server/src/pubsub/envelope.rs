//! CloudEvents 1.0 as JSON: the envelope that events travel in, Layotto's flavour.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tandem_api_proto::layotto::TopicEventRequest;

const CLOUD_EVENT: &str = "application/cloudevents+json";

/// What goes into an envelope.
pub(crate) struct Event<'a> {
    pub(crate) pubsub_name: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) data: &'a [u8],
    /// When it is of no use any more, where the component does not know.
    pub(crate) expires_in: Option<Duration>,
}

/// Wraps data; data that is a CloudEvent already keeps its own fields.
pub(crate) fn wrap(event: &Event<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut fields = if event.content_type.starts_with(CLOUD_EVENT) {
        serde_json::from_slice::<Map<String, Value>>(event.data)?
    } else {
        new(event)
    };
    let mut default = |name: &str, value: &str| {
        fields.entry(name).or_insert_with(|| value.into());
    };
    default("id", &uuid::Uuid::new_v4().to_string());
    default("source", "runtime");
    default("type", "com.runtime.event.sent");
    default("specversion", "1.0");
    fields.insert("topic".to_owned(), event.topic.into());
    fields.insert("pubsubname".to_owned(), event.pubsub_name.into());
    fields.entry("traceid").or_insert_with(|| "".into());
    if let Some(expires_in) = event.expires_in {
        fields.insert(
            "expiration".to_owned(),
            rfc3339(SystemTime::now() + expires_in).into(),
        );
    }
    serde_json::to_vec(&fields)
}

fn new(event: &Event<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    let content_type = if event.content_type.is_empty() {
        "text/plain"
    } else {
        event.content_type
    };
    fields.insert("datacontenttype".to_owned(), content_type.into());
    let json = is_json(content_type).then(|| serde_json::from_slice::<Value>(event.data).ok());
    match (json.flatten(), std::str::from_utf8(event.data)) {
        (Some(value), _) => fields.insert("data".to_owned(), value),
        (None, Ok(text)) if !is_binary(content_type) => {
            fields.insert("data".to_owned(), text.into())
        }
        _ => fields.insert("data_base64".to_owned(), encode(event.data).into()),
    };
    fields
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || kind.ends_with("+json")
}

fn is_binary(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind == "application/octet-stream" || kind == "application/cloudevents+protobuf"
}

/// Unwraps what was received. `None`: it has expired. What is not an envelope (published by
/// somebody else) is delivered as raw data.
pub(crate) fn unwrap(pubsub_name: &str, topic: &str, data: &[u8]) -> Option<TopicEventRequest> {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(data) else {
        return Some(raw(pubsub_name, topic, data));
    };
    if !fields.contains_key("specversion") {
        return Some(raw(pubsub_name, topic, data));
    }
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    if expired(&text("expiration")) {
        return None;
    }
    let data = match (
        fields.get("data_base64").and_then(Value::as_str),
        fields.get("data"),
    ) {
        (Some(encoded), _) => decode(encoded),
        (None, Some(Value::String(text))) => text.clone().into_bytes(),
        (None, Some(value)) => value.to_string().into_bytes(),
        (None, None) => Vec::new(),
    };
    Some(TopicEventRequest {
        id: text("id"),
        source: text("source"),
        r#type: text("type"),
        spec_version: text("specversion"),
        data_content_type: text("datacontenttype"),
        data: data.into(),
        topic: topic.to_owned(),
        pubsub_name: pubsub_name.to_owned(),
        ..TopicEventRequest::default()
    })
}

fn raw(pubsub_name: &str, topic: &str, data: &[u8]) -> TopicEventRequest {
    TopicEventRequest {
        id: uuid::Uuid::new_v4().to_string(),
        data_content_type: "application/octet-stream".to_owned(),
        data: data.to_vec().into(),
        topic: topic.to_owned(),
        pubsub_name: pubsub_name.to_owned(),
        ..TopicEventRequest::default()
    }
}

fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = prost_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: 0,
    };
    timestamp.to_string()
}

fn expired(expiration: &str) -> bool {
    let parsed: Option<prost_types::Timestamp> = expiration.parse().ok();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    parsed.is_some_and(|at| u64::try_from(at.seconds).is_ok_and(|at| at <= now))
}

fn encode(data: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data)
}

fn decode(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap_or_default()
}
