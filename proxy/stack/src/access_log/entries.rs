//! Logs whose entries are sent to a service. What is sent is made by whoever knows the wire:
//! here is only what is known of a request.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tandem_core::format::Context;
use tandem_model::access_log::GrpcLog;

/// Takes what is known of requests that are over, for one log on one worker.
pub trait EntrySink: fmt::Debug + Send + Sync {
    /// Notes one. It never waits: an entry that cannot be kept is lost, and counted.
    fn log(&self, request: &Context<'_>);
}

/// Opens the sinks of one worker. Clones share them.
#[derive(Clone)]
pub struct EntrySinks(Arc<dyn Worker>);

/// One worker's sinks.
pub trait Worker: Send + Sync {
    /// The sink of a log; called where the worker's own tasks can be started.
    fn open(&self, log: &Arc<GrpcLog>) -> Arc<dyn EntrySink>;

    /// Sends what is kept, and resolves when that is done. Nothing is kept afterwards.
    fn end(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl EntrySinks {
    /// Those of a worker.
    pub fn new(worker: impl Worker + 'static) -> Self {
        Self(Arc::new(worker))
    }

    pub(super) fn open(&self, log: &Arc<GrpcLog>) -> Arc<dyn EntrySink> {
        self.0.open(log)
    }

    /// Sends what is kept, and returns when that is done, however long it takes.
    pub async fn end(&self) {
        self.0.end().await;
    }
}

impl Default for EntrySinks {
    /// Sinks that keep nothing.
    fn default() -> Self {
        #[derive(Debug)]
        struct Nothing;
        impl EntrySink for Nothing {
            fn log(&self, _: &Context<'_>) {}
        }
        impl Worker for Nothing {
            fn open(&self, _: &Arc<GrpcLog>) -> Arc<dyn EntrySink> {
                Arc::new(Self)
            }

            fn end(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
                Box::pin(std::future::ready(()))
            }
        }
        Self::new(Nothing)
    }
}

impl fmt::Debug for EntrySinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntrySinks")
    }
}
