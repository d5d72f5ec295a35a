//! State of the world.

use super::{CLUSTER, cluster, wrapped, wrapper};
use crate::wire::{DiscoveryRequest, DiscoveryResponse};
use crate::{Sotw, SotwRequest};
use envoy_types::pb::google::protobuf::Any;
use prost::Message;

fn response(version: &str, nonce: &str, resources: Vec<Any>) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: version.to_owned(),
        nonce: nonce.to_owned(),
        type_url: CLUSTER.to_owned(),
        resources,
        ..DiscoveryResponse::default()
    }
}

/// A request as the control plane reads it.
fn read(request: Option<SotwRequest>) -> DiscoveryRequest {
    let bytes = request.unwrap().encode_to_vec();
    DiscoveryRequest::decode(&*bytes).unwrap()
}

#[test]
fn everything_is_asked_for_by_an_empty_list_once() {
    let mut sotw = Sotw::new(CLUSTER, true);
    let first = read(sotw.poll_request());
    assert_eq!(first.type_url, CLUSTER);
    assert!(first.resource_names.is_empty());
    assert!(sotw.poll_request().is_none());
}

#[test]
fn next_to_names_everything_is_a_star() {
    let mut sotw = Sotw::new(CLUSTER, true);
    sotw.subscribe(["a"]);
    assert_eq!(read(sotw.poll_request()).resource_names, ["*", "a"]);
}

#[test]
fn nothing_subscribed_says_nothing() {
    let mut sotw = Sotw::new(CLUSTER, false);
    sotw.start();
    assert!(sotw.poll_request().is_none());
}

#[test]
fn an_ack_carries_the_new_version_and_a_nack_the_old_one_with_the_reason() {
    let mut sotw = Sotw::new(CLUSTER, true);
    let update = sotw
        .response(response("1", "n1", vec![cluster("a")]))
        .unwrap();
    assert!(update.complete);
    assert_eq!(
        (&*update.added[0].name, &*update.added[0].version),
        ("a", "1")
    );
    let ack = read(sotw.accept("n1"));
    assert_eq!((&*ack.version_info, &*ack.response_nonce), ("1", "n1"));
    assert!(ack.error_detail.is_none());

    sotw.response(response("2", "n2", Vec::new())).unwrap();
    let nack = read(sotw.reject("n2", "no such lb policy"));
    assert_eq!((&*nack.version_info, &*nack.response_nonce), ("1", "n2"));
    assert_eq!(nack.error_detail.unwrap().message, "no such lb policy");
    assert_eq!(sotw.version(), "1");
}

#[test]
fn a_subscription_changed_while_an_answer_is_due_goes_out_with_it() {
    let mut sotw = Sotw::new(CLUSTER, false);
    sotw.subscribe(["a"]);
    sotw.poll_request().unwrap();
    sotw.response(response("1", "n1", vec![cluster("a")]))
        .unwrap();
    sotw.subscribe(["b"]);
    assert!(sotw.poll_request().is_none());
    assert_eq!(read(sotw.accept("n1")).resource_names, ["a", "b"]);
    assert!(sotw.poll_request().is_none());

    sotw.response(response("2", "n2", vec![cluster("a")]))
        .unwrap();
    sotw.unsubscribe(["a"]);
    assert_eq!(read(sotw.reject("n2", "no")).resource_names, ["b"]);
    sotw.subscribe(["c"]);
    assert_eq!(read(sotw.poll_request()).resource_names, ["b", "c"]);
}

#[test]
fn only_the_newest_response_is_answered_and_only_once() {
    let mut sotw = Sotw::new(CLUSTER, true);
    sotw.response(response("1", "n1", Vec::new())).unwrap();
    sotw.response(response("2", "n2", Vec::new())).unwrap();
    assert!(sotw.accept("n1").is_none());
    assert_eq!(sotw.version(), "");
    assert!(sotw.accept("n2").is_some());
    assert!(sotw.accept("n2").is_none());
}

#[test]
fn a_new_stream_has_the_accepted_version_and_no_nonce() {
    let mut sotw = Sotw::new(CLUSTER, true);
    sotw.response(response("1", "n1", Vec::new())).unwrap();
    sotw.accept("n1").unwrap();
    sotw.response(response("2", "n2", Vec::new())).unwrap();
    sotw.start();
    assert!(sotw.accept("n2").is_none(), "its stream is gone");
    let first = read(sotw.poll_request());
    assert_eq!((&*first.version_info, &*first.response_nonce), ("1", ""));
}

#[test]
fn wrappers_give_name_and_ttl_and_without_a_resource_are_heartbeats() {
    let mut sotw = Sotw::new(CLUSTER, true);
    let resources = vec![
        wrapper(wrapped("a", "", Some(cluster("a")))),
        wrapper(wrapped("b", "", None)),
    ];
    let update = sotw.response(response("1", "n1", resources)).unwrap();
    assert_eq!(update.added.len(), 1);
    assert_eq!(update.added[0].ttl.unwrap().as_millis(), 2500);
    assert_eq!(update.refreshed[0].0, "b");
}

#[test]
fn what_cannot_be_read_is_malformed_and_still_owed_an_answer() {
    let garbage = |type_url: &str, value: &[u8]| Any {
        type_url: type_url.to_owned(),
        value: value.to_vec(),
    };
    for (resources, reason) in [
        (vec![garbage(CLUSTER, &[255])], "name of a"),
        (vec![garbage("other", &[])], "resource of type `other`"),
    ] {
        let mut sotw = Sotw::new(CLUSTER, true);
        let error = sotw.response(response("1", "n1", resources)).unwrap_err();
        assert!(error.to_string().starts_with(reason), "{error}");
        assert!(sotw.reject("n1", &error.to_string()).is_some());
    }
}

#[test]
fn of_resources_with_one_name_the_first_counts() {
    let mut sotw = Sotw::new(CLUSTER, true);
    let resources = ["a", "b", "a", "a"].map(cluster).into();
    let update = sotw.response(response("1", "n1", resources)).unwrap();
    let faults = update.added.iter().map(|one| one.fault.as_deref());
    let again = Some("duplicate resource `a`");
    assert_eq!(faults.collect::<Vec<_>>(), [None, None, again, again]);
}
