//! Logs whose entries are sent to a service. What is sent is made by whoever knows the wire:
//! here is only what is known of a request.

use std::fmt;
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
pub struct EntrySinks(Arc<Open>);

type Open = dyn Fn(&Arc<GrpcLog>) -> Arc<dyn EntrySink> + Send + Sync;

impl EntrySinks {
    /// Sinks opened by `open`, which is called where the worker's own tasks can be started.
    pub fn new(open: impl Fn(&Arc<GrpcLog>) -> Arc<dyn EntrySink> + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    pub(super) fn open(&self, log: &Arc<GrpcLog>) -> Arc<dyn EntrySink> {
        (self.0)(log)
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
        Self::new(|_| Arc::new(Nothing))
    }
}

impl fmt::Debug for EntrySinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntrySinks")
    }
}
