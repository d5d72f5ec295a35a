//! A type on a stream of its own.

use std::sync::{Arc, Mutex};

use tonic::body::Body;
use tonic::codegen::http::{Request, Uri};
use tower::ServiceExt;

use super::plane::{Plane, all, service};
use super::*;
use crate::NoService;
use crate::wire::{DeltaDiscoveryResponse, Resource};

type Paths = Arc<Mutex<Vec<String>>>;

/// The control plane under all paths; which they were is noted.
fn start(ads: Ads) -> (Plane, Paths) {
    let (service, plane) = service(false);
    let paths = Paths::default();
    let seen = Arc::clone(&paths);
    let service = service.map_request(move |mut request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let aggregated = match path.contains("/Delta") {
            true => Variant::Delta,
            false => Variant::StateOfTheWorld,
        };
        *request.uri_mut() = Uri::from(aggregated.aggregated());
        seen.lock().unwrap().push(path);
        request
    });
    tokio::spawn(ads.run(service));
    (plane, paths)
}

const SERVICES: [(&str, &str, &str); 5] = [
    (CDS, "cluster.v3.ClusterDiscoveryService", "Clusters"),
    (EDS, "endpoint.v3.EndpointDiscoveryService", "Endpoints"),
    (LDS, "listener.v3.ListenerDiscoveryService", "Listeners"),
    (RDS, "route.v3.RouteDiscoveryService", "Routes"),
    (SDS, "secret.v3.SecretDiscoveryService", "Secrets"),
];

#[tokio::test(start_paused = true)]
async fn in_state_of_the_world_each_type_has_its_method_and_may_go_without_its_name() {
    for (url, service, what) in SERVICES {
        let mut ads = ads(Variant::StateOfTheWorld);
        let mut consumer = ads.consumer(url, false, None).unwrap();
        consumer.subscribe(["a"]);
        let (mut plane, paths) = start(ads.own_service().unwrap());
        let mut stream = plane.sotw.recv().await.unwrap();
        let request = stream.request().await;
        assert_eq!((&*request.type_url, request.node.is_some()), (url, true));
        let mut response = all(url, "1", "n", &["a"]);
        response.type_url.clear();
        stream.respond(response);
        offer(&mut consumer).await.accept();
        assert_eq!(stream.request().await.version_info, "1");
        let expected = format!("/envoy.service.{service}/Stream{what}");
        assert_eq!(*paths.lock().unwrap(), [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn in_delta_each_type_has_its_method() {
    for (url, service, what) in SERVICES {
        let mut ads = ads(Variant::Delta);
        let mut consumer = ads.consumer(url, false, None).unwrap();
        consumer.subscribe(["a"]);
        let (mut plane, paths) = start(ads.own_service().unwrap());
        let mut stream = plane.delta.recv().await.unwrap();
        assert_eq!(stream.request().await.resource_names_subscribe, ["a"]);
        stream.respond(DeltaDiscoveryResponse {
            nonce: "n".to_owned(),
            resources: vec![Resource {
                resource: Some(super::plane::resource(url, "a")),
                version: "1".to_owned(),
                ..Resource::default()
            }],
            ..DeltaDiscoveryResponse::default()
        });
        let got = offer(&mut consumer).await;
        assert_eq!(got.update().added[0].name, "a");
        got.reject("no");
        assert_eq!(stream.request().await.error_detail.unwrap().message, "no");
        let expected = format!("/envoy.service.{service}/Delta{what}");
        assert_eq!(*paths.lock().unwrap(), [expected]);
    }
}

#[test]
fn what_has_no_service_of_its_own_says_so() {
    let mut foreign = ads(Variant::Delta);
    let _consumer = foreign.consumer("x", false, None).unwrap();
    let error = foreign.own_service().unwrap_err();
    assert_eq!(error, NoService::Type("x".to_owned()));
    assert!(error.to_string().starts_with("type `x`: "));
    let none = ads(Variant::Delta).own_service().unwrap_err();
    assert_eq!(none.to_string(), "0 types, expected one");
}
