//! State of the world on one stream.

use super::plane::{all, start};
use super::*;

#[tokio::test(start_paused = true)]
async fn types_are_asked_for_in_order_and_the_node_is_said_once() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let types = [SDS, RDS, LDS, EDS, CDS];
    let consumers = types.map(|url| ads.consumer(url, url == CDS || url == LDS, None).unwrap());
    for consumer in &consumers {
        consumer.subscribe(["one"]);
    }
    let mut stream = start(ads).sotw.recv().await.unwrap();
    for (place, url) in [CDS, EDS, LDS, RDS, SDS].into_iter().enumerate() {
        let request = stream.request().await;
        assert_eq!(request.type_url, url);
        assert_eq!(request.node.is_some(), place == 0, "{url}");
    }
    consumers[0].subscribe(["two"]);
    consumers[3].subscribe(["two"]);
    for url in [EDS, SDS] {
        let request = stream.request().await;
        assert_eq!(request.type_url, url);
        assert_eq!(request.resource_names, ["one", "two"]);
        assert_eq!(request.node, None);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_opened_until_something_is_asked_for() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let consumer = ads.consumer(EDS, false, Some(seconds(15))).unwrap();
    let mut plane = start(ads);
    tokio::time::sleep(seconds(60)).await;
    assert!(plane.sotw.try_recv().is_err());
    assert_eq!(consumer.stats().borrow().init_fetch_timeout, 0);
    consumer.subscribe(["a"]);
    let mut stream = plane.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.resource_names, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn each_consumer_answers_for_its_own_type() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut listeners = ads.consumer(LDS, true, None).unwrap();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    stream.request().await;
    stream.respond(all(CDS, "c1", "1", &["a"]));
    stream.respond(all(LDS, "l1", "2", &["b"]));
    let refused = offer(&mut listeners).await;
    assert_eq!(refused.update().added[0].name, "b");
    refused.reject("no such filter");
    let nack = stream.request().await;
    assert_eq!((&*nack.type_url, &*nack.response_nonce), (LDS, "2"));
    assert_eq!(nack.version_info, "");
    assert_eq!(nack.error_detail.unwrap().message, "no such filter");
    offer(&mut clusters).await.accept();
    let ack = stream.request().await;
    assert_eq!((&*ack.type_url, &*ack.version_info), (CDS, "c1"));
    assert_eq!(ack.error_detail, None);
    let stats = clusters.stats().borrow().clone();
    assert_eq!((stats.update_success, &*stats.version), (1, "c1"));
    let stats = listeners.stats().borrow().clone();
    assert_eq!((stats.update_rejected, &*stats.version), (1, ""));
}

#[tokio::test(start_paused = true)]
async fn the_next_response_of_a_type_waits_for_the_answer_to_the_last() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "1", "n1", &["a"]));
    stream.respond(all(CDS, "2", "n2", &["b"]));
    let first = offer(&mut clusters).await;
    assert!(stream.is_silent().await);
    first.accept();
    assert_eq!(stream.request().await.response_nonce, "n1");
    drop(offer(&mut clusters).await);
    let nack = stream.request().await;
    assert_eq!((&*nack.response_nonce, &*nack.version_info), ("n2", "1"));
    let reason = nack.error_detail.unwrap().message;
    assert_eq!(reason, "the update was dropped by its consumer");
}

/// Whoever puts off an answer is told when more waits for it, also when it did so before.
#[tokio::test(start_paused = true)]
async fn an_offer_knows_when_another_response_waits_for_its_answer() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let mut stream = start(ads).sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "1", "1", &["a"]));
    let first = offer(&mut clusters).await;
    let alone = tokio::time::timeout(seconds(60), first.overtaken()).await;
    assert!(alone.is_err());
    stream.respond(all(CDS, "2", "2", &["a"]));
    stream.respond(all(CDS, "3", "3", &["a"]));
    first.overtaken().await;
    first.reject("no");
    let second = offer(&mut clusters).await;
    second.overtaken().await;
    second.reject("no");
    let third = offer(&mut clusters).await;
    let alone = tokio::time::timeout(seconds(60), third.overtaken()).await;
    assert!(alone.is_err());
}
