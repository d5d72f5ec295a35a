//! Delta on one stream.

use envoy_types::pb::google::protobuf as pb;

use super::plane::{resource, start};
use super::*;
use crate::wire::{DeltaDiscoveryResponse, Resource};

fn changes(nonce: &str, added: &[(&str, &str, i64)], removed: &[&str]) -> DeltaDiscoveryResponse {
    let added = added.iter().map(|(name, version, ttl)| Resource {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        resource: Some(resource(EDS, name)),
        ttl: (*ttl > 0).then_some(pb::Duration {
            seconds: *ttl,
            nanos: 0,
        }),
        ..Resource::default()
    });
    DeltaDiscoveryResponse {
        type_url: EDS.to_owned(),
        nonce: nonce.to_owned(),
        resources: added.collect(),
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryResponse::default()
    }
}

#[tokio::test(start_paused = true)]
async fn only_changes_are_said_and_a_new_stream_says_what_is_held() {
    let mut ads = ads(Variant::Delta);
    let mut endpoints = ads.consumer(EDS, false, None).unwrap();
    let _clusters = ads.consumer(CDS, true, None).unwrap();
    let mut plane = start(ads);
    endpoints.subscribe(["a", "b"]);
    let mut stream = plane.delta.recv().await.unwrap();
    let first = stream.request().await;
    assert_eq!((&*first.type_url, first.node.is_some()), (CDS, true));
    let second = stream.request().await;
    assert_eq!(second.resource_names_subscribe, ["a", "b"]);
    assert_eq!(second.node, None);

    stream.respond(changes("1", &[("a", "v1", 0), ("b", "v1", 0)], &[]));
    offer(&mut endpoints).await.accept();
    assert_eq!(stream.request().await.response_nonce, "1");
    endpoints.subscribe(["c"]);
    let more = stream.request().await;
    assert_eq!(more.resource_names_subscribe, ["c"]);
    stream.respond(changes("2", &[("c", "v1", 0)], &["b"]));
    offer(&mut endpoints).await.reject("no");
    let nack = stream.request().await;
    assert_eq!(nack.error_detail.unwrap().message, "no");
    stream.respond(changes("3", &[], &["b"]));
    offer(&mut endpoints).await.accept();
    stream.request().await;

    drop(stream);
    let mut stream = plane.delta.recv().await.unwrap();
    assert!(stream.request().await.node.is_some());
    let again = stream.request().await;
    assert_eq!(again.resource_names_subscribe, ["a", "b", "c"]);
    let held: Vec<_> = again.initial_resource_versions.into_iter().collect();
    assert_eq!(held, [("a".to_owned(), "v1".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_new_stream_does_not_claim_what_has_ended() {
    let mut ads = ads(Variant::Delta);
    let mut endpoints = ads.consumer(EDS, false, None).unwrap();
    let mut plane = start(ads);
    endpoints.subscribe(["a", "b"]);
    let mut stream = plane.delta.recv().await.unwrap();
    stream.request().await;
    stream.respond(changes("1", &[("a", "v1", 5), ("b", "v1", 0)], &[]));
    offer(&mut endpoints).await.accept();
    stream.request().await;
    let event = endpoints.next().await.unwrap();
    assert!(matches!(event, Event::Expired(names) if names == ["a"]));
    drop(stream);
    let mut stream = plane.delta.recv().await.unwrap();
    let again = stream.request().await;
    let held: Vec<_> = again.initial_resource_versions.into_keys().collect();
    assert_eq!(held, ["b"]);
}
