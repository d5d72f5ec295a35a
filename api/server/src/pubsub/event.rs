//! Reading an event that came from a broker, for the application.

use std::borrow::Cow;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost_types::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use tandem_api_contract::pubsub::{Message, Verdict};
use tandem_api_proto::layotto::{
    TopicEventRequest, topic_event_response::TopicEventResponseStatus,
};

use super::envelope::is_json;

/// What is read of a CloudEvent. An attribute that is null is absent (CloudEvents 1.0.2, JSON
/// format, 2.2).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    specversion: Text<'a>,
    #[serde(borrow)]
    datacontenttype: Text<'a>,
    #[serde(borrow)]
    expiration: Text<'a>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<Cow<'a, str>>,
}

/// An attribute, empty if it is absent.
#[derive(Default, Deserialize)]
struct Text<'a>(#[serde(borrow)] Option<Cow<'a, str>>);

impl Text<'_> {
    fn get(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    fn into_owned(self) -> String {
        self.0.map(Cow::into_owned).unwrap_or_default()
    }
}

/// The event for the application; `None` if it has expired.
///
/// What is no CloudEvent was published by somebody else: it is delivered as it is, as
/// `application/octet-stream`, instead of coming back for ever as it does in Layotto.
pub(super) fn read(pubsub: &str, message: Message) -> Option<TopicEventRequest> {
    let envelope = serde_json::from_slice::<Envelope<'_>>(&message.data)
        .ok()
        .filter(|envelope| !envelope.specversion.get().is_empty());
    let mut event = TopicEventRequest {
        topic: message.topic,
        pubsub_name: pubsub.to_owned(),
        metadata: message.metadata,
        ..TopicEventRequest::default()
    };
    let Some(envelope) = envelope else {
        event.id = uuid::Uuid::new_v4().to_string();
        event.spec_version = "1.0".to_owned();
        event.data_content_type = "application/octet-stream".to_owned();
        event.data = message.data;
        return Some(event);
    };
    if expired(envelope.expiration.get()) {
        tracing::info!(
            id = envelope.id.get(),
            topic = event.topic,
            pubsub,
            "dropping an expired event"
        );
        return None;
    }
    event.data = data(&envelope);
    event.id = envelope.id.into_owned();
    event.source = envelope.source.into_owned();
    event.r#type = envelope.kind.into_owned();
    event.spec_version = envelope.specversion.into_owned();
    event.data_content_type = envelope.datacontenttype.into_owned();
    Some(event)
}

fn data(envelope: &Envelope<'_>) -> Bytes {
    if let Some(data) = &envelope.data_base64 {
        return STANDARD.decode(&**data).unwrap_or_default().into();
    }
    let Some(data) = envelope.data else {
        return Bytes::new();
    };
    // A JSON string is data of its own only where the content is JSON.
    if !is_json(envelope.datacontenttype.get())
        && let Ok(text) = serde_json::from_str::<String>(data.get())
    {
        return text.into();
    }
    Bytes::copy_from_slice(data.get().as_bytes())
}

fn expired(expiration: &str) -> bool {
    expiration
        .parse::<Timestamp>()
        .ok()
        .and_then(|end| SystemTime::try_from(end).ok())
        .is_some_and(|end| end <= SystemTime::now())
}

/// What the application's answer means for the broker. A status that does not exist is not
/// dealt with.
pub(super) fn verdict(status: i32) -> Verdict {
    match TopicEventResponseStatus::try_from(status) {
        Ok(TopicEventResponseStatus::Success | TopicEventResponseStatus::Drop) => Verdict::Ack,
        Ok(TopicEventResponseStatus::Retry) | Err(_) => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests;
