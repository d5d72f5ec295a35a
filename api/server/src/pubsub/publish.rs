//! `PublishEvent`.

use tandem_api_contract::pubsub::Publish;
use tandem_api_proto::layotto::PublishEventRequest;

use super::envelope;
use crate::layer::Api;
use crate::status::Error;

impl Api {
    pub(crate) async fn publish_event(&self, request: PublishEventRequest) -> Result<(), Error> {
        if request.pubsub_name.is_empty() {
            return Err(Error::PubsubEmpty);
        }
        if request.topic.is_empty() {
            return Err(Error::TopicEmpty(request.pubsub_name));
        }
        let Some(broker) = self.clients.pubsub.get(&request.pubsub_name) else {
            return Err(Error::PubsubNotFound(request.pubsub_name));
        };
        let data = envelope::wrap(&request, broker.expires_messages()).map_err(Error::Envelope)?;
        let publish = Publish {
            topic: request.topic.clone(),
            data,
            metadata: request.metadata,
        };
        let outcome = broker.publish(publish).await;
        outcome.map_err(|cause| Error::Publish {
            topic: request.topic,
            pubsub: request.pubsub_name,
            cause,
        })
    }
}

#[cfg(test)]
mod tests;
