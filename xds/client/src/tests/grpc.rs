//! The gRPC stream, against a server of `tonic` called without a socket.

use std::pin::Pin;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server as ads;
use futures_util::{Stream as Items, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::{CLUSTER, cluster};
use crate::wire::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use crate::{Sotw, Stream, Variant};

type Responses<A> = Pin<Box<dyn Items<Item = Result<A, Status>> + Send>>;

/// Answers the first request with 10,000 large clusters, and an ACK with the end.
struct Server;

#[tonic::async_trait]
impl ads::AggregatedDiscoveryService for Server {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let answers = request.into_inner().map(|request| match request? {
            first if first.response_nonce.is_empty() => Ok(DiscoveryResponse {
                version_info: "1".to_owned(),
                nonce: "n1".to_owned(),
                type_url: first.type_url,
                resources: (0..10_000).map(large).collect(),
                ..DiscoveryResponse::default()
            }),
            ack => Err(Status::unavailable(ack.version_info)),
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn delta_aggregated_resources(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("delta"))
    }
}

fn large(index: usize) -> envoy_types::pb::google::protobuf::Any {
    let mut any = cluster(&format!("c{index}"));
    // An unknown field of 1,000 bytes: number 15, length-delimited.
    any.value.extend([0x7a, 0xe8, 0x07]);
    any.value.extend([0; 1000]);
    any
}

#[tokio::test]
async fn ten_thousand_resources_come_in_one_response_beyond_any_default_limit() {
    let mut sotw = Sotw::new(CLUSTER, true);
    let mut stream = Stream::open(
        ads::AggregatedDiscoveryServiceServer::new(Server),
        Variant::StateOfTheWorld.aggregated(),
        MetadataMap::new(),
        sotw.poll_request(),
    )
    .await
    .unwrap();
    let response = stream.next().await.unwrap().unwrap();
    let update = sotw.response(response).unwrap();
    assert_eq!(update.added.len(), 10_000);
    stream.send(sotw.accept(&update.nonce).unwrap());
    let end = stream.next().await.unwrap_err();
    assert_eq!(end.message(), "1", "the version that was acknowledged");
}

#[tokio::test]
async fn a_refused_stream_is_an_error() {
    let opened = Stream::<DeltaDiscoveryRequest, DeltaDiscoveryResponse>::open(
        ads::AggregatedDiscoveryServiceServer::new(Server),
        Variant::Delta.aggregated(),
        MetadataMap::new(),
        None,
    )
    .await;
    assert_eq!(opened.unwrap_err().message(), "delta");
}

#[test]
fn a_type_has_a_method_of_its_own() {
    let own = |variant: Variant, name: &str| {
        let path = variant.own(&format!("type.googleapis.com/{name}"))?;
        Some(path.as_str().to_owned())
    };
    assert_eq!(
        own(Variant::StateOfTheWorld, "envoy.config.cluster.v3.Cluster").unwrap(),
        "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters"
    );
    let host = "envoy.config.route.v3.VirtualHost";
    assert_eq!(
        own(Variant::Delta, host).unwrap(),
        "/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts"
    );
    assert_eq!(own(Variant::StateOfTheWorld, host), None);
    assert_eq!(
        own(Variant::Delta, "istio.networking.nds.v1.NameTable"),
        None
    );
}
