//! What the passing of time brings.

use envoy_types::pb::google::protobuf as pb;
use prost::Message;
use tokio::time::{Instant, sleep};

use super::plane::{all, resource, start};
use super::*;
use crate::wire::{DiscoveryResponse, Resource};

/// A response with one resource that lives for `ttl`, or its heartbeat.
fn living(version: &str, name: &str, ttl: Duration, heartbeat: bool) -> DiscoveryResponse {
    let wrapped = Resource {
        name: name.to_owned(),
        ttl: Some(pb::Duration {
            seconds: i64::try_from(ttl.as_secs()).unwrap(),
            nanos: 0,
        }),
        resource: (!heartbeat).then(|| resource(CDS, name)),
        ..Resource::default()
    };
    let mut response = all(CDS, version, version, &[]);
    response.resources.push(pb::Any {
        type_url: "type.googleapis.com/envoy.service.discovery.v3.Resource".to_owned(),
        value: wrapped.encode_to_vec(),
    });
    response
}

async fn expired(consumer: &mut Consumer) -> Vec<String> {
    match consumer.next().await {
        Some(Event::Expired(names)) => names,
        other => panic!("expected an end: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_acknowledged_without_the_consumer_and_prolong() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    let begin = Instant::now();
    stream.respond(living("1", "a", seconds(10), false));
    offer(&mut clusters).await.accept();
    stream.request().await;
    sleep(seconds(8)).await;
    stream.respond(living("1", "a", seconds(10), true));
    let ack = stream.request().await;
    assert_eq!((&*ack.version_info, ack.error_detail), ("1", None));
    assert_eq!(expired(&mut clusters).await, ["a"]);
    assert_eq!(begin.elapsed().as_secs(), 18);
    assert_eq!(clusters.stats().borrow().update_success, 2);
}

#[tokio::test(start_paused = true)]
async fn what_an_unanswered_offer_may_renew_does_not_end_before_the_answer() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(living("1", "a", seconds(10), false));
    offer(&mut clusters).await.accept();
    stream.request().await;
    stream.respond(living("2", "a", seconds(10), false));
    let renewal = offer(&mut clusters).await;
    sleep(seconds(60)).await;
    renewal.accept();
    let renewed = Instant::now();
    assert_eq!(expired(&mut clusters).await, ["a"]);
    assert_eq!(renewed.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn resources_end_while_the_control_plane_is_away() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut plane = start(ads);
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(living("1", "a", seconds(10), false));
    offer(&mut clusters).await.accept();
    stream.request().await;
    drop((stream, plane));
    assert_eq!(expired(&mut clusters).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_response_in_time_ends_the_wait_for_the_first_fetch() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, Some(seconds(15))).unwrap();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "1", "n", &["a"]));
    offer(&mut clusters).await.accept();
    let silence = tokio::time::timeout(seconds(60), clusters.next()).await;
    assert!(silence.is_err(), "{silence:?}");
}
