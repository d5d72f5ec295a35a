//! What the process has once: components, the application's subscriptions, health.

use std::sync::Arc;

use tandem_api_contract::registry::{Registry, Running};
use tandem_core::HttpService;
use tandem_core::directory::Directory;
use tandem_model::filter::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::invoke::Invoker;
use crate::layer::{BesideServices, RuntimeApi, beside};
use crate::pubsub::{Streams, callback};
use crate::reflection;
use crate::runtime::Api;

/// The runtime APIs of one application. Dropping it ends subscriptions and components.
pub struct Process {
    runtime: Arc<Runtime>,
    registry: Registry,
    streams: Arc<Streams>,
    beside: BesideServices,
    callbacks: Option<JoinHandle<()>>,
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
    pub async fn start(runtime: Arc<Runtime>, registry: Registry) -> Result<Self, Error> {
        let running = registry.run();
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter
            .set_service_status(
                "spec.proto.runtime.v1.Runtime",
                tonic_health::ServingStatus::Serving,
            )
            .await;
        let (reflection, reflection_alpha) = reflection::services()?;
        let beside = BesideServices {
            health: beside(health),
            reflection: beside(reflection),
            reflection_alpha: beside(reflection_alpha),
        };
        let callbacks = callback::address(&runtime.app).map(|address| {
            let clients = registry.clients();
            tokio::spawn(callback::serve(
                address,
                runtime.app.id.to_string(),
                clients,
            ))
        });
        let streams = Arc::new(Streams::new(runtime.app.id.to_string()));
        Ok(Self {
            runtime,
            registry,
            streams,
            beside,
            callbacks,
            _running: running,
        })
    }

    /// The filter of one worker; called on the worker.
    pub fn layer(&self, directory: &Directory, next: HttpService) -> HttpService {
        let listener = self.runtime.outbound_listener.clone();
        let api = Api {
            clients: self.registry.clients(),
            invoker: Invoker::new(directory.clone(), listener),
            streams: Arc::clone(&self.streams),
        };
        HttpService::new(RuntimeApi::new(api, self.beside.clone(), next))
    }

    /// The components, with their readiness.
    pub fn components(&self) -> &Registry {
        &self.registry
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(callbacks) = &self.callbacks {
            callbacks.abort();
        }
    }
}
