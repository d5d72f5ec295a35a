//! PublishEvent.

use std::time::Duration;

use bytes::Bytes;
use tandem_api_contract::pubsub::Publish;
use tandem_api_contract::registry::Clients;
use tandem_api_proto::layotto::PublishEventRequest;
use tonic::{Code, Status};

use super::envelope::{self, Event};
use crate::status::{component, invalid};

/// Publishes one event; it is durable when this returns, as far as the component is.
pub(crate) async fn publish(clients: &Clients, request: PublishEventRequest) -> Result<(), Status> {
    let PublishEventRequest {
        pubsub_name,
        topic,
        data,
        data_content_type,
        metadata,
    } = request;
    if pubsub_name.is_empty() {
        return Err(invalid("pubsub name is empty"));
    }
    if topic.is_empty() {
        return Err(invalid(format!("topic is empty in pubsub {pubsub_name}")));
    }
    let pubsub = clients.pubsub.get(&pubsub_name);
    let pubsub = pubsub.ok_or_else(|| invalid(format!("pubsub {pubsub_name} not found")))?;
    let expires_in = match metadata.get("ttlInSeconds") {
        Some(seconds) if !pubsub.expires_messages() => {
            Some(Duration::from_secs(seconds.parse().map_err(|_| {
                invalid(format!(
                    "invalid ttlInSeconds {seconds:?}: expected seconds"
                ))
            })?))
        }
        _ => None,
    };
    let event = Event {
        pubsub_name: &pubsub_name,
        topic: &topic,
        content_type: &data_content_type,
        data: &data,
        expires_in,
    };
    let envelope = envelope::wrap(&event).map_err(|error| {
        invalid(format!(
            "error when marshal cloud event of topic {topic}: {error}"
        ))
    })?;
    let published = pubsub
        .publish(Publish {
            topic: topic.clone(),
            data: Bytes::from(envelope),
            metadata,
        })
        .await;
    published.map_err(|error| {
        let message =
            format!("error when publish to topic {topic} in pubsub {pubsub_name}: {error}");
        component(&error, message, Code::Internal)
    })
}
