//! Control planes that restart, stall and send garbage.

use tonic::Status;

use super::plane::{all, resource, stall, start};
use super::*;

#[tokio::test(start_paused = true)]
async fn a_new_stream_says_the_node_the_versions_and_what_is_asked_for_by_then() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let endpoints = ads.consumer(EDS, false, None).unwrap();
    let mut connection = ads.connection();
    let mut plane = start(ads);
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "7", "n", &["a"]));
    offer(&mut clusters).await.accept();
    assert_eq!(stream.request().await.version_info, "7");
    assert!(connection.borrow().connected);
    stream.fail(Status::unavailable("restarting"));
    connection.wait_for(|now| !now.connected).await.unwrap();
    let failure = connection.borrow().failure.clone();
    assert_eq!(failure.unwrap(), "Unavailable: restarting");
    endpoints.subscribe(["a"]);

    let mut stream = plane.sotw.recv().await.unwrap();
    let first = stream.request().await;
    assert_eq!((&*first.type_url, &*first.version_info), (CDS, "7"));
    assert_eq!(first.response_nonce, "");
    assert_eq!(first.node.unwrap().id, "sidecar");
    assert_eq!(stream.request().await.resource_names, ["a"]);
    connection.wait_for(|now| now.connected).await.unwrap();
    assert_eq!(clusters.stats().borrow().update_failure, 1);
    assert_eq!(endpoints.stats().borrow().update_failure, 0);
}

/// Control planes count nonces from one on each stream, so an answer must not be taken for that
/// to the new stream's response of the same nonce.
#[tokio::test(start_paused = true)]
async fn an_answer_to_the_old_stream_is_not_said_on_the_new_one() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut plane = start(ads);
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "1", "n", &["a"]));
    let old = offer(&mut clusters).await;
    drop(stream);
    let mut stream = plane.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.version_info, "");
    stream.respond(all(CDS, "2", "n", &["b"]));
    assert!(stream.is_silent().await);
    old.accept();
    let new = offer(&mut clusters).await;
    assert!(stream.is_silent().await);
    assert_eq!(new.update().version, "2");
    new.accept();
    assert_eq!(stream.request().await.version_info, "2");
}

#[tokio::test(start_paused = true)]
async fn an_offer_accepted_between_two_streams_is_held() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut plane = start(ads);
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "1", "n", &["a"]));
    let old = offer(&mut clusters).await;
    let mut stats = clusters.stats();
    drop(stream);
    let lost = stats.wait_for(|now| now.update_failure == 1).await;
    drop(lost.unwrap());
    old.accept();
    let mut stream = plane.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.version_info, "1");
}

#[tokio::test(start_paused = true)]
async fn a_lost_stream_with_nothing_left_to_ask_for_is_not_opened_again() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let endpoints = ads.consumer(EDS, false, None).unwrap();
    let mut plane = start(ads);
    endpoints.subscribe(["a"]);
    let mut stream = plane.sotw.recv().await.unwrap();
    stream.request().await;
    endpoints.unsubscribe(["a"]);
    assert!(stream.request().await.resource_names.is_empty());
    drop(stream);
    tokio::time::sleep(seconds(60)).await;
    assert!(plane.sotw.try_recv().is_err());
    endpoints.subscribe(["b"]);
    let mut stream = plane.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.resource_names, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_control_plane_is_tried_with_growing_waits() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let clusters = ads.consumer(CDS, true, None).unwrap();
    drop(start(ads));
    let mut stats = clusters.stats();
    let begin = tokio::time::Instant::now();
    let tenth = stats.wait_for(|now| now.update_failure == 10).await;
    drop(tenth.unwrap());
    let took = begin.elapsed();
    // Nine waits: 0.5, 1, 2, 4, 8, 16 s and three of 30 s are their bounds.
    assert!(took > Duration::ZERO && took < seconds(122), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_stalls_is_reported_and_still_told_what_changes() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut listeners = ads.consumer(LDS, true, Some(seconds(15))).unwrap();
    let endpoints = ads.consumer(EDS, false, None).unwrap();
    let connection = ads.connection();
    let begin = tokio::time::Instant::now();
    let mut stream = stall(ads).sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.type_url, LDS);
    let event = listeners.next().await.unwrap();
    assert!(matches!(event, Event::FetchTimeout), "{event:?}");
    assert_eq!(begin.elapsed(), seconds(15));
    assert_eq!(listeners.stats().borrow().init_fetch_timeout, 1);
    assert!(!connection.borrow().connected);
    endpoints.subscribe(["a"]);
    assert_eq!(stream.request().await.type_url, EDS);
}

#[tokio::test(start_paused = true)]
async fn garbage_is_rejected_and_what_comes_after_it_is_read() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, Some(seconds(15))).unwrap();
    let mut connection = ads.connection();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    let mut garbage = all(CDS, "1", "n1", &["a"]);
    garbage.resources.push(resource(LDS, "b"));
    stream.respond(garbage);
    let nack = stream.request().await;
    assert_eq!((&*nack.response_nonce, &*nack.version_info), ("n1", ""));
    let reason = nack.error_detail.unwrap().message;
    assert!(reason.contains(LDS), "{reason}");
    let mut garbage = all(CDS, "2", "n2", &["a"]);
    garbage.resources[0].value = vec![0xff; 9];
    stream.respond(garbage);
    assert!(stream.request().await.error_detail.is_some());
    for _ in 0..2 {
        let event = clusters.next().await;
        assert!(matches!(event, Some(Event::Unreadable)), "{event:?}");
    }

    stream.respond(all(SDS, "1", "n3", &["nobody asked"]));
    let state = connection.wait_for(|now| now.ignored == 1).await;
    assert!(state.unwrap().connected);
    assert!(stream.is_silent().await);

    stream.respond(all(CDS, "3", "n4", &["a"]));
    offer(&mut clusters).await.accept();
    assert_eq!(stream.request().await.version_info, "3");
    assert_eq!(clusters.stats().borrow().update_rejected, 2);
}
