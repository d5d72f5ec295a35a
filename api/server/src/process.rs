//! What the runtime has once in a process: components, the application's subscriptions, health.

use std::sync::{Arc, OnceLock};

use tandem_api_contract::pubsub::Hands;
use tandem_api_contract::registry::{Registry, Running};
use tandem_core::HttpService;
use tandem_core::directory::Directory;
use tandem_model::filter::runtime::Runtime;
use tokio::sync::watch;

use crate::layer::layer;
use crate::pubsub::{Callbacks, Streams};

/// The runtime APIs of one application. Dropping it ends subscriptions and components.
///
/// One for each distinct [`Runtime`] settings in a process, however many listeners and workers
/// have the filter.
pub struct Process {
    shared: Arc<Shared>,
    callbacks: Hands,
    _running: Running,
}

/// Why the APIs did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description of the API is broken.
    #[error("cannot serve gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

impl Process {
    /// Starts the components and asks the application what it subscribes to, again and again
    /// until it answers. Runs on the calling runtime: the control thread's.
    ///
    /// # Errors
    /// None at present: what can fail later is tried again.
    #[allow(clippy::unused_async, reason = "to be called inside a runtime only")]
    pub async fn start(runtime: Arc<Runtime>, registry: Registry) -> Result<Self, Error> {
        let running = registry.run();
        let shared = Arc::new(Shared {
            runtime,
            registry,
            streams: Streams::default(),
            closing: watch::Sender::new(false),
            reflection: OnceLock::new(),
            reflection_alpha: OnceLock::new(),
        });
        let hands = Hands::default();
        if let Some(callbacks) = Callbacks::new(&shared) {
            hands.spawn(callbacks.run());
        }
        Ok(Self {
            shared,
            callbacks: hands,
            _running: running,
        })
    }

    /// The filter of one worker; called on the worker.
    pub fn layer(&self, directory: &Directory, next: HttpService) -> HttpService {
        layer(&self.shared, directory.clone(), next)
    }

    /// The components, with their readiness.
    pub fn components(&self) -> &Registry {
        &self.shared.registry
    }

    /// Before the process ends: health turns to `NOT_SERVING`, and no more events are taken. Those
    /// in hand may still be answered; then streams of `SubscribeTopicEvents` end with
    /// `UNAVAILABLE`.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Waits, after [`close`](Self::close), until the callbacks that run are answered.
    pub async fn finished(&self) {
        self.callbacks.finished().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.close();
    }
}

/// What all workers share.
pub(crate) struct Shared {
    runtime: Arc<Runtime>,
    registry: Registry,
    streams: Streams,
    closing: watch::Sender<bool>,
    reflection: OnceLock<HttpService>,
    reflection_alpha: OnceLock<HttpService>,
}

impl Shared {
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The subscriptions that streams hold.
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Turns true when the process is about to end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// The reflection service, built when it is first asked for: hardly any process needs it.
    pub(crate) fn reflection(&self, build: fn() -> HttpService) -> HttpService {
        self.reflection.get_or_init(build).clone()
    }

    /// The same in its older version.
    pub(crate) fn reflection_alpha(&self, build: fn() -> HttpService) -> HttpService {
        self.reflection_alpha.get_or_init(build).clone()
    }
}
