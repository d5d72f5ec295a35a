//! Access logs over gRPC (`envoy.service.accesslog.v3`): each worker collects entries and sends
//! them over a stream of its own, through a cluster, to the service that a log names.

mod common;
mod entry;
mod logger;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tandem_core::stats::Registry;
use tandem_model::access_log::GrpcLog;
use tandem_model::bootstrap::Node;
use tandem_stack::access_log::{EntrySink, EntrySinks, Worker};
use tandem_upstream::Clusters;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::mesh::Transport;
use logger::{Counters, Logger};

/// Batches that wait for the service's window, and not in a buffer.
const BATCHES: usize = 16;

/// The logs of one worker; called on it. Equal ones share a stream.
pub(crate) fn sinks(clusters: Clusters, stats: &Registry, node: Node) -> EntrySinks {
    EntrySinks::new(Logs {
        clusters,
        counters: Counters::new(stats),
        node,
        known: Mutex::default(),
    })
}

struct Logs {
    clusters: Clusters,
    counters: Counters,
    node: Node,
    known: Mutex<Vec<Known>>,
}

/// A log that somebody writes to, or whose last entries are on their way.
struct Known {
    config: Arc<GrpcLog>,
    logger: Weak<Logger>,
    stream: JoinHandle<()>,
}

impl Worker for Logs {
    fn open(&self, log: &Arc<GrpcLog>) -> Arc<dyn EntrySink> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| !known.stream.is_finished());
        let mut same = known.iter().filter(|known| known.config == *log);
        if let Some(logger) = same.find_map(|known| known.logger.upgrade()) {
            return logger;
        }
        let (sender, receiver) = mpsc::channel(BATCHES);
        let identifier = stream::identifier(&self.node, &log.name);
        let transport = Transport::new(&log.service, &self.clusters);
        let to = Arc::clone(log);
        let stream =
            tokio::spawn(async move { stream::run(&to, transport, identifier, receiver).await });
        let logger = Logger::new(Arc::clone(log), self.counters.clone(), sender);
        let logger = Arc::new(logger);
        tokio::spawn(logger::keep_flushing(
            Arc::downgrade(&logger),
            log.flush_interval,
        ));
        known.push(Known {
            config: Arc::clone(log),
            logger: Arc::downgrade(&logger),
            stream,
        });
        logger
    }

    fn end(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let each = known.into_iter().map(|known| async move {
            if let Some(logger) = known.logger.upgrade() {
                logger.end().await;
            }
            // The service has answered then: it has everything.
            let _ = known.stream.await;
        });
        let all = futures_util::future::join_all(each);
        Box::pin(async move {
            all.await;
        })
    }
}
