//! The HTTP connection manager: everything a request passes whatever its route.

mod answer;
mod body;
mod client;
mod forwarded;
mod prepare;
pub(crate) mod request;
mod rescue;
mod stats;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod timeouts;

pub use answer::{Answer, AnswerLayer};
pub use prepare::{Prepare, PrepareLayer};
pub use rescue::{Rescue, RescueLayer};
pub(crate) use stats::Stats;
pub use stream::{Stream, StreamLayer};

use std::sync::Arc;

use tandem_core::HttpService;
use tandem_model::{HttpConnectionManager, Listener};
use tower::ServiceBuilder;

use crate::access_log::{self, AccessLogLayer, Logs};
use crate::{Deps, router};

/// What the layers of one connection manager share.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Its configuration.
    pub(crate) manager: Arc<HttpConnectionManager>,
    /// The listener's name.
    pub(crate) listener: Arc<str>,
}

/// Builds the service of a connection manager, for one worker.
pub fn build(
    manager: &Arc<HttpConnectionManager>,
    listener: &Listener,
    deps: &Deps,
) -> HttpService {
    let settings = Arc::new(Settings {
        manager: Arc::clone(manager),
        listener: Arc::clone(&listener.name),
    });
    let scope = deps.stats.http(&manager.stat_prefix);
    let stats = Arc::new(Stats::new(&scope));
    let capture = access_log::capture(&manager.access_logs, router::response_formats(manager));
    let logs = Logs::new(&manager.access_logs, &deps.logs);
    let router = router::build(manager, listener, deps, &scope, &stats);
    HttpService::new(
        ServiceBuilder::new()
            // 1. The record comes first: all others write into it.
            .layer(StreamLayer::new(Arc::clone(&settings), capture))
            // 2. Logged and counted is what the client saw, so outside of whatever changes it.
            .layer(AccessLogLayer::new(logs, stats))
            // 3. Answers are completed alike, those of the rescue too.
            .layer(AnswerLayer::new(Arc::clone(&settings)))
            // 4. From here on inwards everything may fail.
            .layer(RescueLayer)
            // 5. Routes and filters only ever see clean requests.
            .layer(PrepareLayer::new(settings))
            .service(router),
    )
}
