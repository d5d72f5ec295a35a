//! gRPC health: of the runtime as a whole, and of each component.
//!
//! | service asked for | SERVING when |
//! |---|---|
//! | empty, or `spec.proto.runtime.v1.Runtime` | the process is not draining |
//! | a component's name | its back-end answers |
//!
//! A component that is down does not make the runtime unhealthy: the others work.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, stream};
use tandem_api_contract::component::{Readiness, Status as Component};
use tandem_core::HttpService;
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::grpc::service::erase;
use crate::process::Shared;

/// The health service of a runtime.
pub(crate) fn service(server: &Arc<Shared>) -> HttpService {
    erase(HealthServer::new(Checks(Arc::clone(server))))
}

struct Checks(Arc<Shared>);

/// What a service's health depends on.
enum Subject {
    Runtime(watch::Receiver<bool>),
    Component(watch::Receiver<Component>),
}

impl Checks {
    fn subject(&self, service: &str) -> Option<Subject> {
        if matches!(service, "" | "spec.proto.runtime.v1.Runtime") {
            return Some(Subject::Runtime(self.0.closing()));
        }
        self.0
            .registry()
            .entries()
            .iter()
            .find(|entry| &*entry.name == service)
            .map(|entry| Subject::Component(Readiness::subscribe(&entry.readiness)))
    }
}

impl Subject {
    /// The health now; a change after that wakes [`Subject::changed`].
    fn now(&mut self) -> ServingStatus {
        let serving = match self {
            Self::Runtime(closing) => !*closing.borrow_and_update(),
            Self::Component(status) => *status.borrow_and_update() == Component::Ready,
        };
        if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    }

    async fn changed(&mut self) -> bool {
        match self {
            Self::Runtime(closing) => closing.changed().await.is_ok(),
            Self::Component(status) => status.changed().await.is_ok(),
        }
    }
}

#[async_trait::async_trait]
impl Health for Checks {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match self.subject(&service) {
            Some(mut subject) => Ok(Response::new(answer(subject.now()))),
            None => Err(Status::not_found(format!("unknown service {service}"))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let Some(subject) = self.subject(&request.into_inner().service) else {
            // As the protocol wants it: the stream stays open, the service may come.
            let unknown = stream::once(async { Ok(answer(ServingStatus::ServiceUnknown)) });
            return Ok(Response::new(Box::pin(unknown.chain(stream::pending()))));
        };
        Ok(Response::new(Box::pin(follow(subject))))
    }
}

/// The health now and each time it is another one.
fn follow(subject: Subject) -> impl Stream<Item = Result<HealthCheckResponse, Status>> + Send {
    stream::unfold((subject, None), async |(mut subject, told)| {
        loop {
            let now = subject.now();
            if told != Some(now) {
                return Some((Ok(answer(now)), (subject, Some(now))));
            }
            if !subject.changed().await {
                return None;
            }
        }
    })
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[cfg(test)]
mod tests;
