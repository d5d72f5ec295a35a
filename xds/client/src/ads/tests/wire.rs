//! What only a real connection, or one that is not gRPC at all, brings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http;
use tower::service_fn;

use super::plane::{Plane, all, service};
use super::*;
use crate::connect::{Address, Channel, Server};
use crate::tests::served::{Served, http2, listen, reserved, serve};

pub(super) fn plane(listener: TcpListener, stalls: bool) -> (Plane, Served) {
    let (service, plane) = service(stalls);
    let served = serve(listener, move |stream| http2(stream, service.clone()));
    (plane, served)
}

pub(super) fn channel(port: u16) -> Channel {
    let host = "127.0.0.1".to_owned();
    Channel::new(Server::new([Address::Tcp { host, port }]))
}

pub(super) fn impatient(variant: Variant) -> Ads {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
    Ads::new(variant, Node::default(), MetadataMap::new(), backoff)
}

#[tokio::test]
async fn a_control_plane_that_restarts_on_its_port_gets_the_versions() {
    let (_reserved, address) = reserved();
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut plane, served) = plane(listener, false);
    let mut ads = impatient(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut connection = ads.connection();
    let driver = tokio::spawn(ads.run(channel(address.port())));
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "7", "1", &["a"]));
    offer(&mut clusters).await.accept();
    assert_eq!(stream.request().await.version_info, "7");

    drop((stream, plane, served));
    let expected = format!("Unavailable: connect to {address}: ");
    let refused = |why: &String| why.starts_with(&expected);
    let lost = connection.wait_for(|now| now.failure.as_ref().is_some_and(refused));
    assert!(!lost.await.unwrap().connected);

    let listener = TcpListener::bind(address).await.unwrap();
    let (mut plane, _served) = self::plane(listener, false);
    let mut stream = plane.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.version_info, "7");
    drop(connection.wait_for(|now| now.connected).await.unwrap());
    stream.respond(all(CDS, "8", "1", &["a", "b"]));
    offer(&mut clusters).await.accept();
    assert_eq!(stream.request().await.version_info, "8");
    drop(clusters);
    driver.await.unwrap();
}

#[tokio::test]
async fn requests_reach_a_control_plane_that_has_not_sent_headers() {
    let (listener, address) = listen().await;
    let (mut plane, _served) = plane(listener, true);
    let mut ads = impatient(Variant::Delta);
    let _clusters = ads.consumer(CDS, true, None).unwrap();
    let endpoints = ads.consumer(EDS, false, None).unwrap();
    let driver = tokio::spawn(ads.run(channel(address.port())));
    let mut stream = plane.delta.recv().await.unwrap();
    assert_eq!(stream.request().await.type_url, CDS);
    endpoints.subscribe(["a"]);
    assert_eq!(stream.request().await.resource_names_subscribe, ["a"]);
    driver.abort();
}

/// A web page, a frame that is no message, a frame that is cut off: in turn.
#[tokio::test(start_paused = true)]
async fn what_is_not_grpc_ends_the_stream_and_is_tried_again() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let clusters = ads.consumer(CDS, true, None).unwrap();
    let connection = ads.connection();
    let calls = Arc::new(AtomicUsize::new(0));
    let garbage = service_fn(move |_: http::Request<Body>| {
        let (kind, body): (_, &'static [u8]) = match calls.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => ("text/html", b"<html>"),
            1 => ("application/grpc", b"\0\0\0\0\x03\xff\xff\xff"),
            _ => ("application/grpc", b"\0\0\0\0\x09\x0a"),
        };
        let response = http::Response::builder()
            .header("content-type", kind)
            .body(Body::new(Full::from(body)));
        std::future::ready(response)
    });
    let driver = tokio::spawn(ads.run(garbage));
    let mut stats = clusters.stats();
    let lost = stats.wait_for(|now| now.update_failure == 9).await;
    assert_eq!(
        (lost.unwrap().update_success, clusters.events.len()),
        (0, 0)
    );
    assert!(connection.borrow().failure.is_some());
    drop(clusters);
    driver.await.unwrap();
}
