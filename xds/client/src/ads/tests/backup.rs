//! Several control planes, the first of which is preferred.

use tonic::Status;

use super::plane::{all, service};
use super::*;
use crate::wire::{DeltaDiscoveryResponse, Resource};

#[tokio::test(start_paused = true)]
async fn the_backup_is_used_at_once_while_the_first_refuses_and_the_first_when_it_ends() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let connection = ads.connection();
    let (first, mut one) = service(false);
    let (second, mut two) = service(false);
    tokio::spawn(ads.run_with_backups(first, [second]));
    let mut stream = one.sotw.recv().await.unwrap();
    stream.request().await;
    let begin = tokio::time::Instant::now();
    stream.fail(Status::unavailable("not ready"));
    let mut stream = two.sotw.recv().await.unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let request = stream.request().await;
    assert_eq!(request.node.unwrap().id, "sidecar");
    stream.respond(all(CDS, "1", "n", &["a"]));
    offer(&mut clusters).await.accept();
    stream.request().await;
    assert_eq!(connection.borrow().server, 1);
    drop(stream);
    let mut stream = one.sotw.recv().await.unwrap();
    // Version 1 of the backup says nothing about version 1 of the first.
    assert_eq!(stream.request().await.version_info, "");
    stream.respond(all(CDS, "1", "n", &["b"]));
    offer(&mut clusters).await.accept();
    assert_eq!(stream.request().await.version_info, "1");
    assert_eq!(connection.borrow().server, 0);
}

#[tokio::test(start_paused = true)]
async fn all_are_tried_before_the_wait_grows() {
    let mut ads = ads(Variant::Delta);
    let clusters = ads.consumer(CDS, true, None).unwrap();
    let services = [(); 3].map(|()| service(false).0);
    let [first, second, third] = services;
    tokio::spawn(ads.run_with_backups(first, [second, third]));
    let begin = tokio::time::Instant::now();
    let mut stats = clusters.stats();
    drop(stats.wait_for(|now| now.update_failure >= 3).await.unwrap());
    assert_eq!(begin.elapsed(), Duration::ZERO);
    drop(
        stats
            .wait_for(|now| now.update_failure >= 12)
            .await
            .unwrap(),
    );
    // Three waits: 0.5, 1 and 2 s are their bounds.
    assert!(begin.elapsed() < seconds(4), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_answered_nothing_does_not_cost_the_versions() {
    let mut ads = ads(Variant::StateOfTheWorld);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let (first, mut one) = service(false);
    let (second, mut two) = service(false);
    tokio::spawn(ads.run_with_backups(first, [second]));
    let mut stream = one.sotw.recv().await.unwrap();
    stream.request().await;
    stream.respond(all(CDS, "7", "n", &["a"]));
    offer(&mut clusters).await.accept();
    stream.request().await;
    drop(stream);
    one.sotw.recv().await.unwrap().fail(Status::unavailable(""));
    let mut stream = two.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.version_info, "");
    stream.fail(Status::unavailable(""));
    let mut stream = one.sotw.recv().await.unwrap();
    assert_eq!(stream.request().await.version_info, "7");
}

fn cluster(nonce: &str, name: &str) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse {
        type_url: CDS.to_owned(),
        nonce: nonce.to_owned(),
        resources: vec![Resource {
            name: name.to_owned(),
            version: "v".to_owned(),
            resource: Some(super::plane::resource(CDS, name)),
            ..Resource::default()
        }],
        ..DeltaDiscoveryResponse::default()
    }
}

/// Named without a version, a resource is sent again, and said to be gone if it is not there.
#[tokio::test(start_paused = true)]
async fn in_delta_a_backup_is_told_what_is_held_but_no_version_of_it() {
    let mut ads = ads(Variant::Delta);
    let mut clusters = ads.consumer(CDS, true, None).unwrap();
    let (first, mut one) = service(false);
    let (second, mut two) = service(false);
    tokio::spawn(ads.run_with_backups(first, [second]));
    let mut stream = one.delta.recv().await.unwrap();
    stream.request().await;
    for (nonce, name) in [("1", "a"), ("2", "b")] {
        stream.respond(cluster(nonce, name));
        offer(&mut clusters).await.accept();
        stream.request().await;
    }
    drop(stream);
    one.delta
        .recv()
        .await
        .unwrap()
        .fail(Status::unavailable(""));
    let mut stream = two.delta.recv().await.unwrap();
    let held = stream.request().await.initial_resource_versions;
    let unknown = |name: &str| (name.to_owned(), String::new());
    assert_eq!(held, [unknown("a"), unknown("b")].into());
    stream.respond(cluster("1", "a"));
    offer(&mut clusters).await.accept();
    stream.request().await;
    drop((stream, one));
    let mut stream = two.delta.recv().await.unwrap();
    let held = stream.request().await.initial_resource_versions;
    assert_eq!(
        held,
        [("a".to_owned(), "v".to_owned()), unknown("b")].into()
    );
}
