//! A control plane without a socket: each stream that a client opens is handed to the test.

use std::pin::Pin;
use std::time::Duration;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server as server;
use envoy_types::pb::google::protobuf::Any;
use futures_util::stream::unfold;
use futures_util::{Stream as Items, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use crate::wire::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};

type Responses<A> = Pin<Box<dyn Items<Item = Result<A, Status>> + Send>>;
pub(super) type Server = server::AggregatedDiscoveryServiceServer<Service>;
type Sotw = Side<DiscoveryRequest, DiscoveryResponse>;
type Delta = Side<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/// The control plane's side of one stream. Dropping it ends the stream.
pub(super) struct Side<Q, A> {
    requests: Streaming<Q>,
    responses: UnboundedSender<Result<A, Status>>,
}

impl<Q, A> Side<Q, A> {
    fn new(requests: Streaming<Q>) -> (Self, Responses<A>)
    where
        A: Send + 'static,
    {
        let (responses, queue) = unbounded_channel();
        let items = unfold(queue, async |mut queue: UnboundedReceiver<_>| {
            Some((queue.recv().await?, queue))
        });
        let side = Self {
            requests,
            responses,
        };
        (side, items.boxed())
    }

    pub(super) async fn request(&mut self) -> Q {
        self.requests.message().await.unwrap().unwrap()
    }

    /// Holds for as long as nothing else is left to do but to wait.
    pub(super) async fn is_silent(&mut self) -> bool {
        let wait = timeout(Duration::from_millis(1), self.requests.message());
        wait.await.is_err()
    }

    pub(super) fn respond(&self, response: A) {
        self.responses.send(Ok(response)).unwrap();
    }

    pub(super) fn fail(self, status: Status) {
        self.responses.send(Err(status)).unwrap();
    }
}

#[derive(Clone)]
pub(super) struct Service {
    sotw: UnboundedSender<Sotw>,
    delta: UnboundedSender<Delta>,
    /// Whether it sends not even headers.
    stalls: bool,
}

#[tonic::async_trait]
impl server::AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let (side, items) = Side::new(request.into_inner());
        let gone = |_| Status::unavailable("no control plane");
        self.sotw.send(side).map_err(gone)?;
        if self.stalls {
            return std::future::pending().await;
        }
        Ok(Response::new(items))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let (side, items) = Side::new(request.into_inner());
        let gone = |_| Status::unavailable("no control plane");
        self.delta.send(side).map_err(gone)?;
        Ok(Response::new(items))
    }
}

/// The streams that clients open.
pub(super) struct Plane {
    pub(super) sotw: UnboundedReceiver<Sotw>,
    pub(super) delta: UnboundedReceiver<Delta>,
}

/// Runs `ads` against a control plane.
pub(super) fn start(ads: super::Ads) -> Plane {
    run(ads, false)
}

/// Runs `ads` against a control plane that reads and never answers.
pub(super) fn stall(ads: super::Ads) -> Plane {
    run(ads, true)
}

fn run(ads: super::Ads, stalls: bool) -> Plane {
    let (service, plane) = service(stalls);
    tokio::spawn(ads.run(service));
    plane
}

/// A control plane and the streams that reach it.
pub(super) fn service(stalls: bool) -> (Server, Plane) {
    let (sotw, sotw_queue) = unbounded_channel();
    let (delta, delta_queue) = unbounded_channel();
    let service = Service {
        sotw,
        delta,
        stalls,
    };
    let plane = Plane {
        sotw: sotw_queue,
        delta: delta_queue,
    };
    (Server::new(service), plane)
}

/// A resource that has a name and nothing else.
pub(super) fn resource(type_url: &str, name: &str) -> Any {
    Any {
        type_url: type_url.to_owned(),
        value: [&[10, name.len() as u8], name.as_bytes()].concat(),
    }
}

/// A state-of-the-world response.
pub(super) fn all(type_url: &str, version: &str, nonce: &str, names: &[&str]) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: version.to_owned(),
        nonce: nonce.to_owned(),
        type_url: type_url.to_owned(),
        resources: names.iter().map(|name| resource(type_url, name)).collect(),
        ..DiscoveryResponse::default()
    }
}
