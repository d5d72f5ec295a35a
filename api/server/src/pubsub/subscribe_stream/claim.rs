//! One stream for each component and topic in a process, as clients know it from Layotto.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tandem_api_proto::layotto::SubscribeTopicEventsRequestInitial;

use crate::status::Error;

/// The topics that streams have, shared by all workers. Locked when a stream begins or ends.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashSet<Topic>>>);

type Topic = (String, String);

/// A topic that a stream has, until it is dropped.
pub(super) struct Claim {
    streams: Streams,
    topic: Topic,
}

impl Streams {
    /// Claims a topic.
    pub(super) fn claim(
        &self,
        wanted: &SubscribeTopicEventsRequestInitial,
    ) -> Result<Claim, Error> {
        let topic = (wanted.pubsub_name.clone(), wanted.topic.clone());
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !taken.insert(topic.clone()) {
            return Err(Error::AlreadySubscribed {
                pubsub: topic.0,
                topic: topic.1,
            });
        }
        drop(taken);
        Ok(Claim {
            streams: self.clone(),
            topic,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut taken = self
            .streams
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.topic);
    }
}
