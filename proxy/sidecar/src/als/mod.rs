//! Access logs over gRPC (`envoy.service.accesslog.v3`): each worker collects entries and sends
//! them over a stream of its own, through a cluster, to the service that a log names.

mod common;
mod entry;
mod logger;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tandem_core::stats::Registry;
use tandem_model::access_log::GrpcLog;
use tandem_model::bootstrap::Node;
use tandem_stack::access_log::{EntrySink, EntrySinks};
use tandem_upstream::Clusters;
use tokio::sync::mpsc;

use crate::mesh::Transport;
use logger::{Counters, Logger};

/// Batches that wait for the service's window, and not in a buffer.
const BATCHES: usize = 16;

/// The logs of one worker; called on it. Equal ones share a stream.
pub(crate) fn sinks(clusters: Clusters, stats: &Registry, node: Node) -> EntrySinks {
    let counters = Counters::new(stats);
    let known = Mutex::new(Vec::<(Arc<GrpcLog>, Weak<Logger>)>::new());
    EntrySinks::new(move |log| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, logger)| logger.strong_count() > 0);
        let found = known.iter().find(|(other, _)| other == log);
        if let Some(logger) = found.and_then(|(_, logger)| logger.upgrade()) {
            return logger;
        }
        let logger = open(log, &clusters, &counters, &node);
        known.push((Arc::clone(log), Arc::downgrade(&logger)));
        logger as Arc<dyn EntrySink>
    })
}

fn open(log: &Arc<GrpcLog>, clusters: &Clusters, counters: &Counters, node: &Node) -> Arc<Logger> {
    let (sender, receiver) = mpsc::channel(BATCHES);
    let identifier = stream::identifier(node, &log.name);
    let transport = Transport::new(&log.service, clusters);
    let to = Arc::clone(log);
    tokio::spawn(async move { stream::run(&to, transport, identifier, receiver).await });
    let logger = Arc::new(Logger::new(Arc::clone(log), counters.clone(), sender));
    tokio::spawn(logger::keep_flushing(
        Arc::downgrade(&logger),
        log.flush_interval,
    ));
    logger
}
