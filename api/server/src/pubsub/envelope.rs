//! Writing CloudEvents 1.0 in JSON, as Layotto and Dapr write them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost_types::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tandem_api_proto::layotto::PublishEventRequest;

const SOURCE: &str = "runtime";
const TYPE: &str = "com.runtime.event.sent";
const SPEC_VERSION: &str = "1.0";
const DATA_CONTENT_TYPE: &str = "text/plain";

/// An event of our own making.
#[derive(Serialize)]
struct Envelope<'a> {
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    specversion: &'a str,
    datacontenttype: &'a str,
    topic: &'a str,
    pubsubname: &'a str,
    traceid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

/// The envelope for what is published. With `expires` the component sees to `ttlInSeconds`;
/// otherwise the envelope says when the event is no longer wanted.
pub(super) fn wrap(request: &PublishEventRequest, expires: bool) -> Result<Bytes, String> {
    let expiration = if expires { None } else { expiration(request)? };
    if is_cloud_event(&request.data_content_type) {
        return pass(request, expiration);
    }
    let content_type = Some(request.data_content_type.as_str())
        .filter(|content_type| !content_type.is_empty())
        .unwrap_or(DATA_CONTENT_TYPE);
    let mut envelope = Envelope {
        id: id(),
        source: SOURCE,
        kind: TYPE,
        specversion: SPEC_VERSION,
        datacontenttype: content_type,
        topic: &request.topic,
        pubsubname: &request.pubsub_name,
        traceid: "",
        expiration,
        data: None,
        data_base64: None,
    };
    match data(content_type, &request.data) {
        Some(data) => envelope.data = Some(data),
        None => envelope.data_base64 = Some(STANDARD.encode(&request.data)),
    }
    written(&envelope)
}

/// What can stand in JSON as it is. The rest goes as `data_base64`, whatever its type says: text
/// that is not UTF-8 would arrive as something else. (Layotto and Dapr replace what is not UTF-8;
/// both read `data_base64` with any type.)
fn data<'a>(content_type: &str, data: &'a [u8]) -> Option<Data<'a>> {
    if is_binary(content_type) {
        return None;
    }
    let text = std::str::from_utf8(data).ok()?;
    // What says that it is JSON and is not goes as text.
    let json = is_json(content_type).then(|| serde_json::from_str(text).ok());
    Some(match json.flatten() {
        Some(json) => Data::Json(json),
        None => Data::Text(text),
    })
}

/// An event that the publisher made: passed on, with what only the runtime knows.
fn pass(request: &PublishEventRequest, expiration: Option<String>) -> Result<Bytes, String> {
    let mut event: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(&request.data).map_err(|error| error.to_string())?;
    // An attribute that is null is absent (CloudEvents 1.0.2, JSON format, 2.2).
    let mut set = |name: &str, value: &str, overwrite: bool| -> Result<(), String> {
        let absent = event.get(name).is_none_or(|value| value.get() == "null");
        if overwrite || absent {
            let value =
                serde_json::value::to_raw_value(value).map_err(|error| error.to_string())?;
            event.insert(name.to_owned(), value);
        }
        Ok(())
    };
    set("topic", &request.topic, true)?;
    set("pubsubname", &request.pubsub_name, true)?;
    set("traceid", "", true)?;
    set("id", &id(), false)?;
    set("source", SOURCE, false)?;
    set("type", TYPE, false)?;
    set("specversion", SPEC_VERSION, false)?;
    if let Some(expiration) = expiration {
        set("expiration", &expiration, true)?;
    }
    written(&event)
}

fn written(event: &impl Serialize) -> Result<Bytes, String> {
    serde_json::to_vec(event)
        .map(Bytes::from)
        .map_err(|error| error.to_string())
}

fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn expiration(request: &PublishEventRequest) -> Result<Option<String>, String> {
    let Some(text) = request
        .metadata
        .get("ttlInSeconds")
        .filter(|text| !text.is_empty())
    else {
        return Ok(None);
    };
    let seconds: u64 = text
        .trim()
        .parse()
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| {
            format!("invalid ttlInSeconds {text:?}: expected a positive number of seconds")
        })?;
    let end = SystemTime::now()
        .checked_add(Duration::from_secs(seconds))
        .ok_or_else(|| format!("ttlInSeconds {seconds} is too large"))?;
    let end = Timestamp {
        nanos: 0,
        ..Timestamp::from(end)
    };
    Ok(Some(end.to_string()))
}

/// The media type without its parameters, in lower case.
pub(super) fn media_type(content_type: &str) -> String {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

fn is_cloud_event(content_type: &str) -> bool {
    media_type(content_type) == "application/cloudevents+json"
}

pub(super) fn is_json(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    media_type == "application/json" || media_type.ends_with("+json")
}

fn is_binary(content_type: &str) -> bool {
    media_type(content_type) == "application/octet-stream"
}

#[cfg(test)]
mod tests;
