//! Control planes that mean no good, or are broken as if they did not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::Full;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::io::AsyncWriteExt;
use tonic::body::Body;
use tonic::codegen::{Bytes, http};
use tower::service_fn;

use super::plane::{all, resource, service, start};
use super::wire::{channel, impatient, plane};
use super::*;
use crate::tests::served::{listen, serve};
use crate::wire::{DeltaDiscoveryResponse, DiscoveryResponse, Resource};

#[tokio::test(start_paused = true)]
async fn a_flood_of_responses_ends_the_stream_instead_of_filling_the_memory() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut connection = ads.connection();
    let mut plane = start(ads);
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    for version in 0..1000 {
        stream.respond(all(CDS, &version.to_string(), "n", &["a"]));
    }
    let first = offer(&mut clusters).await;
    let lost = |now: &crate::Connection| now.failure.is_some();
    let state = connection.wait_for(lost).await.unwrap();
    let why = state.failure.clone().unwrap();
    assert!(why.starts_with("responses come without an end"), "{why}");
    drop(state);
    first.accept();
    let mut stream = plane.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.version_info, "0");
    stream.respond(all(CDS, "1000", "n", &["a"]));
    let next = offer(&mut clusters).await;
    assert_eq!(next.update().version, "1000");
}

#[tokio::test(start_paused = true)]
async fn large_responses_that_wait_are_bounded_by_their_bytes() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut connection = ads.connection();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    let mut large = all(CDS, "1", "n", &["a"]);
    // A field that no cluster has, of 8 MiB.
    let field = [
        &[0xfa, 0xff, 0x7f, 0x80, 0x80, 0x80, 0x04][..],
        &vec![0; 8 << 20],
    ]
    .concat();
    large.resources[0].value.extend(field);
    for _ in 0..12 {
        stream.respond(large.clone());
    }
    let _first = offer(&mut clusters).await;
    let lost = |now: &crate::Connection| now.failure.is_some();
    drop(connection.wait_for(lost).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_never_reads_loses_its_stream() {
    let mut ads = ads(Variant::Delta);
    let clusters = ads.consumer(CDS, true, None).unwrap();
    let mut connection = ads.connection();
    let stream = start(ads).delta.recv().await.unwrap();
    for nonce in 0..1100 {
        stream.respond(DeltaDiscoveryResponse {
            type_url: CDS.to_owned(),
            nonce: nonce.to_string(),
            resources: vec![Resource {
                resource: Some(resource(LDS, "a")),
                ..Resource::default()
            }],
            ..DeltaDiscoveryResponse::default()
        });
    }
    let lost = |now: &crate::Connection| now.failure.is_some();
    let state = connection.wait_for(lost).await.unwrap();
    let why = state.failure.clone().unwrap();
    assert!(why.contains("does not read requests"), "{why}");
    assert_eq!(clusters.stats().borrow().update_success, 0);
}

#[tokio::test(start_paused = true)]
async fn responses_of_the_same_nonce_are_each_answered() {
    let mut ads = ads(Variant::Delta);
    let mut endpoints = ads.consumer(EDS, false, None).unwrap();
    endpoints.subscribe(["a"]);
    let mut stream = start(ads).delta.recv().await.unwrap();
    stream.request().await;
    let response = |version: &str| DeltaDiscoveryResponse {
        type_url: EDS.to_owned(),
        nonce: "same".to_owned(),
        resources: vec![Resource {
            name: "a".to_owned(),
            version: version.to_owned(),
            resource: Some(resource(EDS, "a")),
            ..Resource::default()
        }],
        ..DeltaDiscoveryResponse::default()
    };
    stream.respond(response("1"));
    stream.respond(response("2"));
    offer(&mut endpoints).await.accept();
    assert_eq!(stream.request().await.response_nonce, "same");
    offer(&mut endpoints).await.reject("no");
    let nack = stream.request().await;
    assert_eq!(nack.error_detail.unwrap().message, "no");
    assert!(stream.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn a_reason_of_any_length_leaves_the_stream_as_it_is() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "1", "n", &["a"]));
    offer(&mut clusters).await.reject("ä".repeat(5 << 20));
    let reason = stream.request().await.error_detail.unwrap().message;
    assert!(reason.len() < 70_000 && reason.ends_with("ä…"));
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_flaps_is_followed_without_losing_what_it_said() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut plane = start(ads);
    for round in 0..50 {
        let mut stream = plane.sotw.recv().await.unwrap();
        let held = match round {
            0 => String::new(),
            _ => (round - 1).to_string(),
        };
        assert_eq!(stream.request().await.version_info, held);
        stream.respond(all(CDS, &round.to_string(), "1", &["a"]));
        offer(&mut clusters).await.accept();
        stream.request().await;
    }
    let stats = clusters.stats().borrow().clone();
    assert_eq!((stats.update_success, stats.update_failure), (50, 49));
    assert_eq!((stats.update_rejected, &*stats.version), (0, "49"));
}

#[tokio::test]
async fn a_hundred_thousand_resources_come_in_one_response() {
    let (listener, address) = listen().await;
    let (mut plane, _served) = plane(listener, false);
    let mut ads = impatient(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    tokio::spawn(ads.run(channel(address.port())));
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    let names: Vec<_> = (0..100_000)
        .map(|number| format!("outbound|80||service-{number}.default.svc.cluster.local"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let response = all(CDS, "1", "n", &names);
    assert!(prost::Message::encoded_len(&response) > 10 << 20);
    stream.respond(response);
    let got = offer(&mut clusters).await;
    assert_eq!(got.update().added.len(), 100_000);
    got.accept();
    assert_eq!(stream.request().await.version_info, "1");
}

/// Frames whose lengths are right and whose messages are noise: some are even responses.
#[tokio::test(start_paused = true)]
async fn noise_in_frames_is_refused_or_ignored_and_never_fatal() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let clusters = ads.consumer(CDS, true, None).unwrap();
    let seed = Arc::new(AtomicU64::new(0));
    let valid = prost::Message::encode_to_vec(&all(CDS, "1", "n", &["a", "b"]));
    let plane = service_fn(move |_: http::Request<Body>| {
        let mut noise = SmallRng::seed_from_u64(seed.fetch_add(1, Ordering::Relaxed));
        let mut message = valid.clone();
        for _ in 0..3 {
            let place = noise.random_range(0..message.len());
            message[place] = noise.random();
        }
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let frame = [&[0], &length[..], &message].concat();
        let response = http::Response::builder()
            .header("content-type", "application/grpc")
            .body(Body::new(Full::new(Bytes::from(frame))));
        std::future::ready(response)
    });
    let driver = tokio::spawn(ads.run(plane));
    let mut stats = clusters.stats();
    // Offers are not answered, so that no more than one is out.
    let lost = stats.wait_for(|now| now.update_failure >= 500).await;
    drop(lost.unwrap());
    drop(clusters);
    driver.await.unwrap();
}

/// Not even HTTP/2.
#[tokio::test]
async fn noise_on_the_socket_is_a_failure_to_try_again_after() {
    let (listener, address) = listen().await;
    let mut noise = SmallRng::seed_from_u64(5);
    let _served = serve(listener, move |mut stream| {
        let mut bytes = [0; 4096];
        noise.fill_bytes(&mut bytes);
        async move {
            let _ = stream.write_all(&bytes).await;
        }
    });
    let mut ads = impatient(Variant::Delta);
    let clusters = ads.consumer(CDS, true, None).unwrap();
    tokio::spawn(ads.run(channel(address.port())));
    let mut stats = clusters.stats();
    let lost = stats.wait_for(|now| now.update_failure >= 20).await;
    assert_eq!(lost.unwrap().update_success, 0);
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_keeps_nothing_can_be_told_the_node_each_time() {
    let mut ads = ads(Variant::StateOfTheWorld).node_always();
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let (service, mut plane) = service(false);
    tokio::spawn(ads.run(service));
    let mut stream = plane.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.node.unwrap().id, "sidecar");
    stream.respond(DiscoveryResponse {
        control_plane: None,
        ..all(CDS, "1", "n", &["a"])
    });
    offer(&mut clusters).await.accept();
    assert_eq!(stream.request().await.node.unwrap().id, "sidecar");
}
