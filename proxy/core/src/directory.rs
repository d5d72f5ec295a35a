//! Finding a worker's own HTTP services by the listener's name, without a socket between.
//!
//! `InvokeService` enters the outbound stack here: the same service that intercepted
//! connections of this worker run through.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tandem_model::listener::TrafficDirection;

use crate::HttpService;

/// One worker's HTTP services. Clones share the entries.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<ArcSwap<Vec<Entry>>>);

/// The service of one of a listener's HTTP filter chains.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Its direction.
    pub direction: TrafficDirection,
    /// What its connections' requests run through.
    pub service: HttpService,
}

/// Why a listener's service was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No listener has that name, or it does not speak HTTP.
    #[error("no HTTP listener is named '{0}'")]
    Name(String),
    /// No listener says `traffic_direction: OUTBOUND`.
    #[error("no HTTP listener has traffic_direction OUTBOUND")]
    NoOutbound,
    /// Several do.
    #[error(
        "several HTTP listeners have traffic_direction OUTBOUND ({0}): name one in outbound_listener"
    )]
    SeveralOutbound(String),
}

impl Directory {
    /// Publishes the services of a configuration.
    pub fn publish(&self, entries: Vec<Entry>) {
        self.0.store(Arc::new(entries));
    }

    /// The service of the named listener, or of the only outbound one: its first HTTP chain's.
    pub fn outbound(&self, name: Option<&str>) -> Result<HttpService, NotFound> {
        let entries = self.0.load();
        if let Some(name) = name {
            return entries
                .iter()
                .find(|entry| &*entry.listener == name)
                .map(|entry| entry.service.clone())
                .ok_or_else(|| NotFound::Name(name.to_owned()));
        }
        let mut outbound = entries
            .iter()
            .filter(|entry| entry.direction == TrafficDirection::Outbound);
        let Some(first) = outbound.next() else {
            return Err(NotFound::NoOutbound);
        };
        match outbound.find(|entry| entry.listener != first.listener) {
            None => Ok(first.service.clone()),
            Some(second) => Err(NotFound::SeveralOutbound(format!(
                "{}, {}, …",
                first.listener, second.listener
            ))),
        }
    }
}
