//! State of the world and delta, both told by one `talk`.

use std::pin::Pin;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3 as wire;
use futures_util::Stream;
use tokio::sync::{Mutex, mpsc};
use tonic::{Request, Response, Status, Streaming};
use wire::aggregated_discovery_service_server::AggregatedDiscoveryService;
use wire::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};

use super::Updates;
use super::resources::World;
use super::stream::{Asked, Said, talk};

/// The service; it has one client at a time.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) world: World,
    pub(super) updates: Arc<Mutex<mpsc::UnboundedReceiver<Updates>>>,
}

type Answers<A> = Pin<Box<dyn Stream<Item = Result<A, Status>> + Send>>;

#[tonic::async_trait]
impl AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = Answers<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Answers<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let asked = |request: DiscoveryRequest| Asked {
            url: request.type_url,
            names: request.resource_names,
            nonce: request.response_nonce,
            error: request.error_detail.map(|status| status.message),
        };
        let answer = |said: Said| DiscoveryResponse {
            version_info: said.nonce.clone(),
            type_url: said.url.to_owned(),
            nonce: said.nonce,
            resources: said.resources.into_iter().map(|(_, any)| any).collect(),
            ..Default::default()
        };
        Ok(Response::new(self.converse(
            request.into_inner(),
            asked,
            answer,
        )))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let asked = |request: DeltaDiscoveryRequest| Asked {
            url: request.type_url,
            names: request.resource_names_subscribe,
            nonce: request.response_nonce,
            error: request.error_detail.map(|status| status.message),
        };
        let answer = |said: Said| {
            let resource = |(name, any)| Resource {
                name,
                version: said.nonce.clone(),
                resource: Some(any),
                ..Default::default()
            };
            DeltaDiscoveryResponse {
                system_version_info: said.nonce.clone(),
                type_url: said.url.to_owned(),
                resources: said.resources.into_iter().map(resource).collect(),
                nonce: said.nonce,
                ..Default::default()
            }
        };
        Ok(Response::new(self.converse(
            request.into_inner(),
            asked,
            answer,
        )))
    }
}

impl Service {
    fn converse<Q: Send + 'static, A: Send + 'static>(
        &self,
        mut requests: Streaming<Q>,
        asked: impl Fn(Q) -> Asked + Send + 'static,
        answer: impl Fn(Said) -> A + Send + 'static,
    ) -> Answers<A> {
        let (hear, heard) = mpsc::unbounded_channel();
        let (send, mut queue) = mpsc::unbounded_channel();
        let service = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                if hear.send(asked(request)).is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let mut updates = service.updates.lock().await;
            let say = move |said| send.send(Ok(answer(said))).is_ok();
            talk(service.world, heard, &mut updates, say).await;
        });
        Box::pin(futures_util::stream::poll_fn(move |context| {
            queue.poll_recv(context)
        }))
    }
}
