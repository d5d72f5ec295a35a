//! Delta.

use super::{CLUSTER, cluster, wrapped};
use crate::Delta;
use crate::wire::DeltaDiscoveryResponse;

fn response(nonce: &str, added: &[(&str, &str)], removed: &[&str]) -> DeltaDiscoveryResponse {
    let added = added.iter();
    DeltaDiscoveryResponse {
        nonce: nonce.to_owned(),
        type_url: CLUSTER.to_owned(),
        resources: added
            .map(|(name, version)| wrapped(name, version, Some(cluster(name))))
            .collect(),
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryResponse::default()
    }
}

#[test]
fn only_changes_of_the_subscription_are_sent() {
    let mut delta = Delta::new(CLUSTER, false);
    assert!(delta.poll_request().is_none());
    delta.subscribe(["a", "b"]);
    assert_eq!(
        delta.poll_request().unwrap().resource_names_subscribe,
        ["a", "b"]
    );
    delta.subscribe(["b", "c"]);
    delta.unsubscribe(["a", "x"]);
    let request = delta.poll_request().unwrap();
    assert_eq!(request.resource_names_subscribe, ["c"]);
    assert_eq!(request.resource_names_unsubscribe, ["a"]);
    assert!(delta.poll_request().is_none());
}

#[test]
fn the_last_word_about_a_name_is_what_is_sent() {
    let mut delta = Delta::new(CLUSTER, false);
    delta.subscribe(["a"]);
    delta.poll_request().unwrap();
    delta.unsubscribe(["a"]);
    delta.subscribe(["a"]);
    delta.unsubscribe(["a"]);
    let request = delta.poll_request().unwrap();
    assert!(request.resource_names_subscribe.is_empty());
    assert_eq!(request.resource_names_unsubscribe, ["a"]);
}

#[test]
fn answers_carry_the_nonce_and_only_what_was_accepted_is_held() {
    let mut delta = Delta::new(CLUSTER, true);
    delta.poll_request().unwrap();
    delta.response(response("n1", &[("a", "1")], &[])).unwrap();
    assert_eq!(delta.version("a"), None);
    assert_eq!(delta.accept("n1").unwrap().response_nonce, "n1");
    assert_eq!(delta.version("a"), Some("1"));

    delta.response(response("n2", &[("a", "2")], &[])).unwrap();
    let nack = delta.reject("n2", "no").unwrap();
    assert_eq!(nack.response_nonce, "n2");
    assert_eq!(nack.error_detail.unwrap().message, "no");
    assert_eq!(delta.version("a"), Some("1"));
    assert!(delta.accept("n2").is_none(), "answered already");
}

#[test]
fn a_new_stream_says_everything_and_the_versions_held() {
    let mut delta = Delta::new(CLUSTER, true);
    delta.poll_request().unwrap();
    delta
        .response(response("n1", &[("a", "1"), ("b", "1")], &[]))
        .unwrap();
    delta.accept("n1").unwrap();
    delta.response(response("n2", &[], &["b"])).unwrap();
    delta.accept("n2").unwrap();
    delta.response(response("n3", &[("c", "1")], &[])).unwrap();
    delta.start();
    assert!(delta.accept("n3").is_none(), "its stream is gone");
    let first = delta.poll_request().unwrap();
    assert!(first.resource_names_subscribe.is_empty());
    assert_eq!(first.initial_resource_versions.len(), 1);
    assert_eq!(first.initial_resource_versions["a"], "1");
}

#[test]
fn what_was_unsubscribed_before_the_answer_is_not_held() {
    let mut delta = Delta::new(CLUSTER, false);
    delta.subscribe(["a"]);
    delta.poll_request().unwrap();
    delta.response(response("n1", &[("a", "1")], &[])).unwrap();
    delta.unsubscribe(["a"]);
    delta.accept("n1").unwrap();
    assert_eq!(delta.version("a"), None);
}

#[test]
fn added_and_removed_at_once_is_malformed() {
    let mut delta = Delta::new(CLUSTER, true);
    let error = delta
        .response(response("n1", &[("a", "1")], &["a"]))
        .unwrap_err();
    assert_eq!(error.to_string(), "duplicate resource `a`");
    assert!(delta.reject("n1", &error.to_string()).is_some());
    assert_eq!(delta.version("a"), None);
}
